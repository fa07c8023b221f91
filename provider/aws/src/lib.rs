//! The ports of enigma-reconcile on the AWS SDK.
