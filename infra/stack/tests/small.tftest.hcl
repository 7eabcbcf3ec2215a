# What the profile small is, planned against an empty AWS: that of an account, or the emulated one (make infra-test).

# Mocks know no ephemeral resources, of which the database's password is one.
provider "aws" {
  region = "us-east-1"
}

provider "aws" {
  alias  = "replica"
  region = "us-west-2"
}

variables {
  profile     = "small"
  alert_email = "someone@example.org"
  image_tag   = "0123abc"
}

run "lake_keeps_what_it_should" {
  command = plan

  assert {
    condition = alltrue([
      for rule in module.lake.lifecycle :
      toset([for move in rule.transition : "${move.storage_class}@${move.days}"]) == toset(["STANDARD_IA@30", "GLACIER_IR@90"])
      if endswith(rule.id, "-tiering")
    ])
    error_message = "raw, staging and curated move to Standard-IA after 30 days and to Glacier Instant Retrieval after 90."
  }

  assert {
    condition     = toset([for rule in module.lake.lifecycle : rule.id if endswith(rule.id, "-tiering")]) == toset(["raw-tiering", "staging-tiering", "curated-tiering"])
    error_message = "Three folders are moved."
  }

  assert {
    condition     = toset([for rule in module.lake.lifecycle : one(rule.filter).prefix if length(rule.expiration) > 0 && endswith(rule.id, "-expiry")]) == toset(["logs/pipes/", "logs/spark-events/", "logs/dagster/", "exports/", "raw/inbox/"])
    error_message = "Nothing of tables or reports expires by age: taxi-assets vacuum tells what is left over."
  }
}

run "nothing_is_public" {
  command = plan

  assert {
    condition     = module.warehouse[0].is_public == false
    error_message = "The warehouse has no public address."
  }

  assert {
    condition     = length(module.network.nat_gateway_ids) == 0
    error_message = "The profile small pays for no NAT gateway."
  }
}

run "limits_are_those_of_a_person" {
  command = plan

  assert {
    condition     = module.warehouse[0].limits == { base_rpu = 4, max_rpu = 32, rpu_hours_a_month = 20 }
    error_message = "Redshift has 4 to 32 units, and stops after 20 unit-hours of a month."
  }

  assert {
    condition     = output.budget.usd == 50
    error_message = "The budget is 50 USD."
  }
}

run "one_task_has_all_of_dagster" {
  command = plan

  assert {
    condition     = jsonencode(output.services) == jsonencode({ dagster = "taxi-dagster" })
    error_message = "The profile small has one service."
  }
}

run "it_runs_without_ecs" {
  command = plan

  variables {
    orchestrator = false
    warehouse    = false
  }

  assert {
    condition     = length(output.services) == 0 && !contains(keys(output.taxi_env), "TAXI_REDSHIFT_WORKGROUP")
    error_message = "Dagster on somebody's machine needs neither ECS nor Redshift."
  }
}

run "capacity_that_redshift_does_not_have_is_refused" {
  command = plan

  variables {
    redshift_base_rpu = 20
  }

  expect_failures = [var.redshift_base_rpu]
}

run "a_tag_that_moves_is_refused" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "a_name_without_alarms_in_health_is_refused" {
  command = plan

  variables {
    name = "cabs"
  }

  expect_failures = [var.name]
}

run "a_setting_that_is_no_secret_is_refused_as_one" {
  command = plan

  variables {
    secrets = { TAXI_LAKE = "arn:aws:secretsmanager:us-east-1:123456789012:secret:taxi/lake" }
  }

  expect_failures = [var.secrets]
}

run "compaction_of_versions_is_refused" {
  command = plan

  variables {
    optimized_tables = ["daily_metrics"]
  }

  expect_failures = [var.optimized_tables]
}
