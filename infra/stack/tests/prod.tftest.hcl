# What the profile prod is, planned against an empty AWS: that of an account, or the emulated one (make infra-test).

# Mocks know no ephemeral resources, of which the database's password is one.
provider "aws" {
  region = "us-east-1"
}

provider "aws" {
  alias  = "replica"
  region = "us-west-2"
}

variables {
  profile            = "prod"
  image_tag          = "0123abc"
  monthly_budget_usd = 400
  certificate_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/0123"
}

run "services_are_apart" {
  command = plan

  assert {
    condition = jsonencode(output.services) == jsonencode({
      code      = "taxi-code"
      daemon    = "taxi-daemon"
      webserver = "taxi-webserver"
      dashboard = "taxi-dashboard"
    })
    error_message = "Each is a service of its own."
  }

  assert {
    condition     = length(module.network.nat_gateway_ids) == 1
    error_message = "One NAT gateway unless told otherwise."
  }
}

run "limits_are_those_of_a_team" {
  command = plan

  assert {
    condition     = module.warehouse[0].limits == { base_rpu = 32, max_rpu = 512, rpu_hours_a_month = 0 }
    error_message = "Redshift has 32 to 512 units."
  }

  assert {
    condition     = output.budget.usd == 400
    error_message = "The budget is the one that was given."
  }
}

run "switches_switch" {
  command = plan

  variables {
    nat_in_each_zone = true
    replicate        = true
    optimized_tables = ["run_metrics"]
  }

  assert {
    condition     = length(module.network.nat_gateway_ids) == 3
    error_message = "A NAT gateway in each zone."
  }

  assert {
    condition     = contains(keys(output.role_arns), "replication") && contains(keys(output.role_arns), "optimizer")
    error_message = "S3 and Glue have roles for what was switched on."
  }
}

run "a_budget_has_to_be_given" {
  command = plan

  variables {
    monthly_budget_usd = null
  }

  expect_failures = [var.monthly_budget_usd]
}

run "a_certificate_has_to_be_given" {
  command = plan

  variables {
    certificate_arn = ""
  }

  expect_failures = [var.certificate_arn]
}
