terraform {
  # Write-only arguments came with 1.11.
  required_version = ">= 1.11.4"

  required_providers {
    enigma = {
      source  = "enigma/enigma"
      version = ">= 0.1.0"
    }
  }
}
