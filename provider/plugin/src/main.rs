//! terraform-provider-enigma: mirror fleets as one reviewed Terraform resource.

fn main() {}
