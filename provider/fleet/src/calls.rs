//! The API calls that actions come to, and the rates at which AWS takes them.
//!
//! AWS counts calls in token buckets, one for each EC2 action in each account and Region. Whoever paces calls, counts
//! them before or tells how many are left asks here, so that all of them mean the same. How long a plan takes is
//! counted in [`crate::duration`].

use crate::actions::Action;

/// A bucket's size: calls at once, and calls a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    /// Calls at once after a rest.
    pub burst: u32,
    /// Calls a second in the long run.
    pub per_second: u32,
}

/// Every EC2 call that changes something and has no entry of its own, which is so of all of traffic mirroring.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
pub const MUTATING: Rate = Rate { burst: 50, per_second: 5 };
/// `CreateTags` and `DeleteTags`, each.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
pub const TAGGING: Rate = Rate { burst: 100, per_second: 10 };
/// All of RAM's writes together. RAM publishes no figure; a fleet makes a handful of these calls, so that a slow
/// guess costs seconds where a fast one would cost other tools theirs.
pub const RAM_WRITES: Rate = Rate { burst: 10, per_second: 2 };

/// Principals, and targets, that one call of RAM takes: [`ResourceShareLimitExceededException`] says 100 resources in
/// a call. Of principals AWS says nothing, so no more are sent.
///
/// [`ResourceShareLimitExceededException`]: https://docs.aws.amazon.com/ram/latest/APIReference/API_AssociateResourceShare.html
pub const SHARE_PARTS: usize = 100;

/// Calls that so many principals and targets of a share come to; at least one.
#[must_use]
pub fn share_calls(principals: usize, targets: usize) -> usize {
    principals.max(targets).div_ceil(SHARE_PARTS).max(1)
}

/// The bucket that a call draws on, in one account and Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// The EC2 action, or `ram` for all of RAM's.
    pub name: &'static str,
    /// Its size.
    pub rate: Rate,
}

/// The bucket of an API call by its name, as in CloudTrail: `CreateTrafficMirrorSession`, `TagResource`.
#[must_use]
pub fn bucket_of(operation: &'static str) -> Bucket {
    match operation {
        "CreateTags" | "DeleteTags" => Bucket { name: operation, rate: TAGGING },
        "TagResource" | "UntagResource" => Bucket { name: "ram", rate: RAM_WRITES },
        _ if operation.contains("ResourceShare") => Bucket { name: "ram", rate: RAM_WRITES },
        _ => Bucket { name: operation, rate: MUTATING },
    }
}

impl Action {
    /// The names of the API calls that change something when it is carried out, in their order. Of a
    /// [`JoinShare`](Self::JoinShare) the invitation is accepted only where there is one.
    pub fn calls(&self) -> impl Iterator<Item = &'static str> + use<> {
        let one = |name| [Some(name), None, None];
        let calls = match self {
            Self::CreateTarget { .. } => one("CreateTrafficMirrorTarget"),
            Self::CreateFilter { .. } => one("CreateTrafficMirrorFilter"),
            Self::SetAmazonDns { .. } => one("ModifyTrafficMirrorFilterNetworkServices"),
            Self::CreateRule { .. } => one("CreateTrafficMirrorFilterRule"),
            Self::ModifyRule { .. } => one("ModifyTrafficMirrorFilterRule"),
            Self::DeleteRule { .. } => one("DeleteTrafficMirrorFilterRule"),
            Self::CreateSession { .. } => one("CreateTrafficMirrorSession"),
            Self::ModifySession { .. } => one("ModifyTrafficMirrorSession"),
            Self::DeleteSession { .. } => one("DeleteTrafficMirrorSession"),
            Self::DeleteFilter { .. } => one("DeleteTrafficMirrorFilter"),
            Self::DeleteTarget { .. } => one("DeleteTrafficMirrorTarget"),
            Self::CreateShare { .. } => one("CreateResourceShare"),
            Self::ModifyShare { allows_external, set, remove, .. } => [
                allows_external.map(|_| "UpdateResourceShare"),
                (!set.is_empty()).then_some("TagResource"),
                (!remove.is_empty()).then_some("UntagResource"),
            ],
            Self::AddToShare { .. } => one("AssociateResourceShare"),
            Self::JoinShare { .. } => one("AcceptResourceShareInvitation"),
            Self::RemoveFromShare { .. } => one("DisassociateResourceShare"),
            Self::DeleteShare { .. } => one("DeleteResourceShare"),
            Self::Retag { set, remove, .. } => [
                (!set.is_empty()).then_some("CreateTags"),
                (!remove.is_empty()).then_some("DeleteTags"),
                None,
            ],
        };
        let again = |name, principals, targets| (name, share_calls(principals, targets) - 1);
        let (name, more) = match self {
            Self::CreateShare { principals, targets, .. } | Self::AddToShare { principals, targets, .. } => {
                again("AssociateResourceShare", principals.len(), targets.len())
            }
            Self::RemoveFromShare { principals, targets, .. } => {
                again("DisassociateResourceShare", principals.len(), targets.len())
            }
            _ => ("", 0),
        };
        calls.into_iter().flatten().chain(std::iter::repeat_n(name, more))
    }
}
