//! Who calls: the credential of a SigV4 `Authorization` header. The signature itself is not verified.

use crate::error::ApiError;

/// What a signed request says about its sender and addressee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Parses `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=..., Signature=...`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>).
pub(crate) fn parse(header: Option<&str>) -> Result<Signed, ApiError> {
    let missing = || ApiError::new("MissingAuthenticationToken", "Request is missing Authentication Token");
    let malformed =
        |what: &str| ApiError::new("IncompleteSignature", format!("Authorization header requires {what}"));
    let header = header.ok_or_else(missing)?;
    let fields = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(|| malformed("the algorithm 'AWS4-HMAC-SHA256'"))?;
    let field = |name: &'static str| {
        fields
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .ok_or_else(|| malformed(&format!("'{name}' parameter")))
    };
    field("SignedHeaders")?;
    field("Signature")?;
    let scope: Vec<&str> = field("Credential")?.split('/').collect();
    let [access_key, _date, region, service, "aws4_request"] = scope[..] else {
        return Err(malformed("a credential of the form KEY/DATE/REGION/SERVICE/aws4_request"));
    };
    Ok(Signed { access_key: access_key.to_owned(), region: region.to_owned(), service: service.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_the_credential_scope() {
        let header = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/ec2/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=abc";
        let signed = parse(Some(header)).unwrap();
        assert_eq!((signed.access_key.as_str(), signed.region.as_str()), ("AKIA", "us-east-1"));
        assert_eq!(signed.service, "ec2");
    }

    #[test]
    fn refuses_what_is_not_sigv4() {
        let code = |header: Option<&str>| parse(header).unwrap_err().code.into_owned();
        assert_eq!(code(None), "MissingAuthenticationToken");
        assert_eq!(code(Some("Bearer x")), "IncompleteSignature");
        assert_eq!(
            code(Some("AWS4-HMAC-SHA256 Credential=A/B, SignedHeaders=h, Signature=s")),
            "IncompleteSignature"
        );
    }
}
