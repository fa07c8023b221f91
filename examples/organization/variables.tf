variable "regions" {
  description = "The Regions whose interfaces are mirrored. Each needs a load balancer of its own: AWS mirrors within a Region only."
  type        = set(string)
  default     = ["us-east-1", "us-west-2"]
}

variable "unit_ids" {
  description = "The organizational units whose accounts are mirrored."
  type        = set(string)

  validation {
    condition     = length(var.unit_ids) > 0 && alltrue([for id in var.unit_ids : can(regex("^(ou|r)-", id))])
    error_message = "Write at least one organizational unit (\"ou-...\") or the root (\"r-...\")."
  }
}

variable "exclude_account_ids" {
  description = "Accounts in these units that are left out, such as the management account."
  type        = set(string)
  default     = []
}

variable "external_id" {
  description = "What the role in each member account asks for."
  type        = string
}

variable "network_load_balancer_arns" {
  description = "The load balancers in front of the collectors, by Region, in the account of the provider's credentials."
  type        = map(string)
}

variable "endpoint" {
  description = "Address of a simulator that answers for all of AWS. Null is AWS itself."
  type        = string
  default     = null
}
