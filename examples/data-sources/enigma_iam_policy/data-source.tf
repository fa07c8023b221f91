data "enigma_iam_policy" "prod" {
  fleet                = "prod"
  collector_account_id = "111111111111"
  member_account_ids   = ["222222222222", "333333333333"]
  external_id          = "mirror-7f3a"
}

# In each member account, with a provider of hashicorp/aws for it.
resource "aws_iam_role" "mirror" {
  name               = "enigma-mirror"
  assume_role_policy = data.enigma_iam_policy.prod.trust_policy_json
}

resource "aws_iam_role_policy" "mirror" {
  name   = "enigma-mirror"
  role   = aws_iam_role.mirror.id
  policy = data.enigma_iam_policy.prod.member_role_json
}
