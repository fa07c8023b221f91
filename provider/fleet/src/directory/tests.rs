use super::*;

fn entry(vni: i64, interface: &str) -> Entry {
    Entry {
        vni: vni.try_into().unwrap(),
        account_id: "111111111111".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        interface_id: interface.parse().unwrap(),
        addresses: Vec::new(),
        instance_id: None,
        name: None,
        tags: Tags::new(),
        vpc_id: None,
        subnet_id: None,
        availability_zone: None,
        target: None,
    }
}

#[test]
fn what_is_known_is_written_and_what_is_not_left_out() {
    let known = Entry {
        addresses: ["10.0.0.7", "10.0.0.8", "fd00::1"].iter().map(|one| one.parse().unwrap()).collect(),
        instance_id: "i-00000001".parse().ok(),
        name: Some("web".to_owned()),
        tags: [("team".to_owned(), "net".to_owned())].into(),
        vpc_id: "vpc-00000001".parse().ok(),
        subnet_id: "subnet-00000001".parse().ok(),
        availability_zone: "eu-west-1a".parse().ok(),
        target: "main".parse().ok(),
        ..entry(7, "eni-00000001")
    };
    let directory = Directory::new("prod".parse().unwrap(), vec![entry(9, "eni-00000002"), known]);
    let json = directory.to_json().unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"version":1,"fleet":"prod","sessions":[{"vni":7,"account_id":"111111111111","region":"eu-west-1","#,
            r#""eni":"eni-00000001","addresses":["10.0.0.7","10.0.0.8","fd00::1"],"instance_id":"i-00000001","#,
            r#""name":"web","tags":{"team":"net"},"vpc_id":"vpc-00000001","subnet_id":"subnet-00000001","#,
            r#""availability_zone":"eu-west-1a","target":"main"},"#,
            r#"{"vni":9,"account_id":"111111111111","region":"eu-west-1","eni":"eni-00000002"}]}"#,
        )
    );
    assert_eq!(serde_json::from_str::<Directory>(&json).unwrap(), directory);
}

#[test]
fn the_order_of_input_does_not_matter_and_of_one_vni_the_first_interface_is_named() {
    let sources = vec![entry(9, "eni-00000003"), entry(7, "eni-00000002"), entry(9, "eni-00000001")];
    let mut turned = sources.clone();
    turned.reverse();
    let directory = Directory::new("prod".parse().unwrap(), sources);
    assert_eq!(directory, Directory::new("prod".parse().unwrap(), turned));
    let named: Vec<_> =
        directory.sources.iter().map(|one| (one.vni.get(), one.interface_id.as_str())).collect();
    assert_eq!(named, [(7, "eni-00000002"), (9, "eni-00000001")]);
}
