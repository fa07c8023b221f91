//! A role that somebody names beside the configuration: [`Role`].

use serde::{Deserialize, Serialize};

/// What it takes to assume a role, without anything that narrows it.
///
/// None of it is secret. AWS: "AWS does not treat the external ID as a secret. [...] The external ID for a role can
/// be seen by anyone with permission to view the role."
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user_externalid.html>
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Role {
    /// `arn:PARTITION:iam::ACCOUNT:role/NAME`.
    pub arn: String,
    /// The external id that the role's trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Shown in CloudTrail, and a trust policy may ask for one; the adapter's own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
}
