variable "region" {
  description = "The Region of the interfaces and of the load balancer."
  type        = string
  default     = "us-east-1"
}

variable "vpc_id" {
  description = "The VPC whose interfaces are mirrored."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "A VPC id begins with \"vpc-\"."
  }
}

variable "network_load_balancer_arn" {
  description = "The Network Load Balancer in front of the collectors; it needs a UDP listener on port 4789."
  type        = string
}

variable "endpoint" {
  description = "Address of a simulator that answers for EC2 and STS. Null is AWS itself."
  type        = string
  default     = null
}
