terraform {
  required_version = ">= 1.11" # write-only arguments, locks in S3

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # The bucket is bootstrap's: terraform init -backend-config="bucket=…" -backend-config="region=…"
  backend "s3" {
    key          = "dev/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
