data "enigma_mirror_target" "collectors" {
  network_load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef"
}

check "collectors_receive" {
  assert {
    condition     = data.enigma_mirror_target.collectors.ready
    error_message = join(" ", data.enigma_mirror_target.collectors.problems)
  }
}
