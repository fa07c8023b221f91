terraform {
  # 1.11.4 is the oldest version with write-only arguments as modules/fleet needs them; both modules say the same.
  required_version = ">= 1.11.4"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Only attributes that 3.39 already has and 6.x still has are used.
      version = ">= 3.39.0"
    }
  }
}
