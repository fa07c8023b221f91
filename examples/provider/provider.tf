terraform {
  required_providers {
    enigma = {
      source  = "enigma/enigma"
      version = ">= 0.1.0"
    }
  }
}

# Credentials come from the environment, the shared files or the instance, as with hashicorp/aws. They belong to the account where
# the collectors are; `accounts` are those whose interfaces are mirrored.
provider "enigma" {
  region = "us-east-1"

  accounts = {
    payments = {
      role_arn    = "arn:aws:iam::222222222222:role/enigma-mirror"
      external_id = "mirror-7f3a"
      regions     = ["us-east-1", "us-west-2"]
    }
    web = { role_arn = "arn:aws:iam::333333333333:role/enigma-mirror", external_id = "mirror-7f3a" }
  }
}
