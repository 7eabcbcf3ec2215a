"""The map of taxi zones: shapes from ``reference.zones``, drawn without a tile server.

Belongs here: the map. Does not: what it is coloured by.

Plotly's choropleth fetches an outline of the world before it draws anything, also where that is not shown
(plotly/plotly.js issue 6767); ``OUTLINES`` is one without outlines, for pages that may fetch nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import shapely

from taxi_assets.presentation.theme import DARK, LIGHT, SCALE

OUTLINES = {
    "type": "Topology",
    "arcs": [],
    "objects": {
        kind: {"type": "GeometryCollection", "geometries": []}
        for kind in ("coastlines", "land", "ocean", "lakes", "rivers", "countries", "subunits")
    },
}
"""What plotly.js looks for under the name ``world_110m``."""
_DIGITS = 4
"""Of a degree: 10 m. All shapes are 150 instead of 319 KB."""

GeoJson = dict[str, Any]


def shapes(zones: Sequence[Mapping[str, Any]]) -> GeoJson:
    """The zones that have a shape, as a FeatureCollection with the zone's number for id.

    ``zones`` has location_id and shape (GeoJSON). Rings run clockwise, as d3-geo wants them (RFC 7946 has them the
    other way round, which d3 takes for the whole world but the zone).
    """
    features = []
    for zone in zones:
        if zone["shape"] is None:
            continue
        turned = shapely.orient_polygons(shapely.from_geojson(zone["shape"]), exterior_cw=True)
        geometry = shapely.to_geojson(turned)
        rounded = json.loads(geometry, parse_float=lambda text: round(float(text), _DIGITS))
        features.append({"type": "Feature", "id": zone["location_id"], "geometry": rounded})
    return {"type": "FeatureCollection", "features": features}


def zone_map(
    zones: GeoJson, rows: Sequence[Mapping[str, Any]], metric: str, title: str, form: str, dark: bool = False
) -> go.Figure:
    """The zones coloured by a metric of their row; ``form`` is how d3 writes it. A click gives the zone's number.

    ``rows`` have location_id, zone, borough and the metric.
    """
    drawn = {feature["id"] for feature in zones["features"]}
    shown = [row for row in rows if row["location_id"] in drawn and row[metric] is not None]
    theme = DARK if dark else LIGHT
    figure = go.Figure()
    figure.add_choropleth(  # zones without a row are there as well, in grey
        geojson=zones,
        locations=sorted(drawn),
        z=[0] * len(drawn),
        colorscale=[[0, theme["secondaryBackgroundColor"]], [1, theme["secondaryBackgroundColor"]]],
        marker={"line": {"color": theme["borderColor"], "width": 0.5}},
        showscale=False,
        hoverinfo="skip",
    )
    values = [float(row[metric]) for row in shown]
    figure.add_choropleth(
        geojson=zones,
        locations=[row["location_id"] for row in shown],
        z=values,
        zmin=min(0.0, *values) if values else 0,
        zmax=_high(values),
        colorscale=SCALE,
        marker={"line": {"color": theme["borderColor"], "width": 0.5}},
        colorbar={
            "title": {"text": title, "side": "top"},
            "orientation": "h",
            "y": -0.02,
            "yanchor": "top",
            "thickness": 10,
            "len": 0.7,
            "tickformat": form,
        },
        customdata=[[row["zone"], row["borough"]] for row in shown],
        hovertemplate=f"%{{customdata[0]}}, %{{customdata[1]}}<br>{title}: %{{z:{form}}}<extra></extra>",
    )
    figure.update_geos(fitbounds="locations", visible=False, projection_type="mercator")
    figure.update_layout(height=560, margin={"l": 0, "r": 0, "t": 0, "b": 40})
    return figure


def _high(values: Sequence[float]) -> float:
    """Where the scale ends: above 97 of 100 zones, so that one of them does not leave all others in one colour."""
    if not values:
        return 1.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.97 * len(ordered)))] or 1.0
