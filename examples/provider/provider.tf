terraform {
  required_providers {
    enigma = {
      source  = "enigma/enigma"
      version = ">= 0.1.0"
    }
  }
}

# Credentials come from the environment, the shared files or the instance, as with hashicorp/aws.
provider "enigma" {
  region = "us-east-1"
}
