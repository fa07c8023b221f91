terraform {
  # The oldest version with write-only arguments that work in every command; `members` is one.
  required_version = ">= 1.11.4"

  required_providers {
    enigma = {
      source  = "enigma/enigma"
      version = ">= 0.1.0"
    }
  }
}
