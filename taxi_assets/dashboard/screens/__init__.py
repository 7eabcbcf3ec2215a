"""A module for each page: what it asks, and in which order it shows the answers.

Not called ``pages``: Streamlit takes the files of a folder of that name for scripts.
"""
