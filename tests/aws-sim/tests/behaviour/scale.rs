//! Worlds of any size: they start at once, page as AWS pages, and are in themselves consistent.

use std::collections::BTreeSet;

use enigma_aws_sim::{Scale, Sim, World};

use crate::client::Client;

/// Texts of the elements of a name, found without building a tree: these replies are megabytes.
fn texts<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    body.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

fn pages(client: &Client, action: &str, id: &str) -> (usize, BTreeSet<String>) {
    let (mut found, mut count, mut token) = (BTreeSet::new(), 0, None::<String>);
    loop {
        let size = ("MaxResults", "1000");
        let reply = match &token {
            None => client.ec2(action, &[size]),
            Some(token) => client.ec2(action, &[size, ("NextToken", token)]),
        };
        assert_eq!(reply.status, 200);
        let before = found.len();
        let ids = texts(&reply.body, id);
        found.extend(ids.iter().map(|id| (*id).to_owned()));
        assert_eq!(found.len(), before + ids.len(), "nothing comes twice");
        count += 1;
        token = texts(&reply.body, "nextToken").first().map(|token| (*token).to_owned());
        match token {
            None => return (count, found),
            Some(_) => assert_eq!(ids.len(), 1000, "only the last page is short"),
        }
    }
}

#[test]
fn a_hundred_thousand_interfaces_come_in_pages_of_a_thousand() {
    let scale = Scale { members: 1, instances: 99_998, ..Scale::default() };
    let sim = Sim::start(scale.world()).unwrap();
    let client = Client::new(&sim).with_key("member-1");
    let (count, interfaces) = pages(&client, "DescribeNetworkInterfaces", "networkInterfaceId");
    assert_eq!((count, interfaces.len()), (100, 99_998));
    assert!(interfaces.contains(&World::id_of("eni", &Scale::instance(1, "us-east-1", 99_998))));
    let first = client.ec2("DescribeInstances", &[("MaxResults", "1000")]);
    assert_eq!(texts(&first.body, "imageId").len(), 1000);
    assert_eq!(texts(&first.body, "nextToken").len(), 1);
}

#[test]
fn members_stand_in_their_unit_with_a_role_and_machines_in_every_region() {
    let regions = vec!["us-east-1".to_owned(), "eu-west-1".to_owned()];
    let scale = Scale { members: 3, regions: regions.clone(), instances: 4, balancers: 2 };
    let sim = Sim::start(scale.world()).unwrap();
    for (member, region) in (1..=3).flat_map(|member| regions.iter().map(move |region| (member, region))) {
        let role = format!("arn:aws:iam::{}:role/{}", Scale::member(member), Scale::ROLE);
        let home = Client { region: region.clone(), ..Client::new(&sim).with_key(Scale::KEY) };
        let form =
            [("RoleArn", role.as_str()), ("RoleSessionName", "tests"), ("ExternalId", Scale::EXTERNAL_ID)];
        let reply = home.sts("AssumeRole", &form).ok();
        let assumed =
            Client { key: reply.one("AccessKeyId"), token: Some(reply.one("SessionToken")), ..home.clone() };
        assert_eq!(assumed.ec2("DescribeInstances", &[]).ok().all("instanceId").len(), 4);
        assert_eq!(assumed.ec2("DescribeVpcs", &[]).ok().all("vpcId"), [Scale::vpc(member, region)]);
        let stranger = home.with_key("management");
        assert_eq!(stranger.sts("AssumeRole", &form).code(), "AccessDenied");
    }
    let home = Client { region: "eu-west-1".to_owned(), ..Client::new(&sim) };
    for number in 1..=2 {
        let balancer = Scale::balancer("eu-west-1", number);
        home.ec2("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", &balancer)]).ok();
    }
}
