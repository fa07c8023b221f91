output "nlb_arn" {
  description = "ARN of the load balancer: the `network_load_balancer_arn` of a fleet's target. It is given only once the UDP listener exists."
  # Read through the listener, so that whoever uses it waits for the listener too.
  value = aws_lb_listener.vxlan.load_balancer_arn
}

output "nlb_dns_name" {
  description = "Name under which the load balancer's addresses can be looked up, for a sender that is not AWS."
  value       = aws_lb.collector.dns_name
}

output "target_group_arn" {
  description = "ARN of the target group, for alarms on HealthyHostCount."
  value       = aws_lb_target_group.collector.arn
}

output "security_group_id" {
  description = "Security group of the collectors."
  value       = aws_security_group.collector.id
}

output "load_balancer_security_group_id" {
  description = "Security group of the load balancer: add a rule for UDP 4789 to it to admit a source that the module does not know."
  value       = aws_security_group.load_balancer.id
}

output "autoscaling_group_name" {
  description = "Name of the auto scaling group, for alarms and scaling policies of your own."
  value       = aws_autoscaling_group.collector.name
}

output "launch_template_id" {
  description = "Id of the launch template."
  value       = aws_launch_template.collector.id
}

output "role_arn" {
  description = "ARN of the instances' role, for policies of buckets and keys that collectors must reach."
  value       = aws_iam_role.collector.arn
}

output "role_name" {
  description = "Name of the instances' role, to attach policies to it."
  value       = aws_iam_role.collector.name
}

output "ami_id" {
  description = "Image that new collectors start from."
  value       = local.ami_id
}

output "collector_configuration" {
  description = "Text of the collectors' configuration file, for `enigma-collector check-config` before an apply."
  value       = local.collector_config
}
