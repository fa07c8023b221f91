//! What is read, what is left out, and how many calls it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::kit::{aws_with, home, member, place, whole};
use crate::memory::MemoryAws;
use crate::ports::ErrorKind;

async fn filled() -> MemoryAws {
    let (aws, interfaces) = aws_with(5);
    let options = crate::execute::Options::new(1, std::sync::Arc::default());
    let cloud = std::sync::Arc::new(aws.clone());
    let outcomes = crate::execute::execute(
        &whole(&interfaces[..3]),
        cloud,
        &options,
        &tokio_util::sync::CancellationToken::new(),
    )
    .await;
    assert!(outcomes.is_complete());
    assert!(outcomes.session_made_for(&member(&interfaces[0])).is_some());
    aws.forget_calls();
    aws
}

#[tokio::test(start_paused = true)]
async fn discovery_reads_everything_with_one_call_per_kind() {
    let aws = filled().await;
    let seen = observe(&aws, &BTreeSet::from([home()]), &Scope::Discovery).await;
    assert_eq!(seen.places[&home()], aws.contents(&home()));
    let mut calls: Vec<&str> = aws.journal().iter().map(|call| call.operation).collect();
    calls.sort_unstable();
    assert_eq!(
        calls,
        [
            "DescribeInstances",
            "DescribeNetworkInterfaces",
            "DescribeSubnets",
            "DescribeTrafficMirrorFilters",
            "DescribeTrafficMirrorSessions",
            "DescribeTrafficMirrorTargets",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn mirroring_reads_only_the_interfaces_it_is_told() {
    let aws = filled().await;
    let wanted = aws.contents(&home()).interfaces[1].id.clone();
    let gone: InterfaceId = "eni-0000000000000dead".parse().unwrap();
    let interfaces = BTreeMap::from([(home(), vec![wanted.clone(), gone])]);
    let seen = observe(&aws, &BTreeSet::from([home()]), &Scope::Mirroring { interfaces }).await;
    let seen = &seen.places[&home()];
    assert_eq!(seen.interfaces.iter().map(|i| &i.id).collect::<Vec<_>>(), [&wanted]);
    assert_eq!(seen.sessions.len(), 3);
    assert!(seen.instances.is_empty());

    aws.forget_calls();
    let nothing = Scope::Mirroring { interfaces: BTreeMap::new() };
    let seen = observe(&aws, &BTreeSet::from([home()]), &nothing).await;
    assert!(seen.places[&home()].interfaces.is_empty());
    assert_eq!(aws.journal().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn owned_reads_only_tagged_objects() {
    let aws = filled().await;
    let of = |name: &str| Scope::Owned { fleet: name.parse().unwrap() };
    let seen = observe(&aws, &BTreeSet::from([home()]), &of("prod")).await;
    // The kit tags sessions only.
    assert_eq!((seen.places[&home()].sessions.len(), seen.places[&home()].targets.len()), (3, 0));
    let seen = observe(&aws, &BTreeSet::from([home()]), &of("other")).await;
    assert_eq!(seen.places[&home()].sessions.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_fails_in_any_part_is_unread_and_the_others_are_complete() {
    let aws = filled().await;
    let (denied, partly, unknown) =
        (place("222222222222/us-east-1"), place("333333333333/us-east-1"), place("444444444444/us-east-1"));
    aws.add_place(&denied);
    aws.add_place(&partly);
    aws.deny(&denied);
    let places = BTreeSet::from([denied.clone(), unknown.clone()]);
    let seen = observe(&aws, &places, &Scope::Discovery).await;
    assert!(seen.places.is_empty());
    assert!(seen.unread[&denied].contains("UnauthorizedOperation"), "{}", seen.unread[&denied]);
    assert!(seen.unread[&denied].contains("222222222222/us-east-1"), "{}", seen.unread[&denied]);
    assert!(seen.unread[&unknown].contains("no role"), "{}", seen.unread[&unknown]);

    aws.fail_next("DescribeSubnets", 1, ErrorKind::Unavailable);
    let seen = observe(&aws, &BTreeSet::from([partly.clone()]), &Scope::Discovery).await;
    assert!(seen.places.is_empty() && seen.unread[&partly].contains("DescribeSubnets"));

    let all = BTreeSet::from([home(), denied, partly]);
    let seen = observe(&aws, &all, &Scope::Discovery).await;
    assert_eq!((seen.places.len(), seen.unread.len()), (2, 1));
}

/// What a network that swallows one Region's endpoint does to a company of two hundred accounts.
#[tokio::test(start_paused = true)]
async fn a_region_that_says_nothing_is_waited_for_once_and_holds_nobody_up() {
    let aws = filled().await;
    let given_up = Duration::from_secs(51);
    let mut places = BTreeSet::from([home()]);
    for number in 0..200_u64 {
        for region in ["eu-west-1", "us-east-1"] {
            let place = place(&format!("{:012}/{region}", 300_000_000_000 + number));
            aws.add_place(&place);
            if region == "eu-west-1" {
                aws.silence(&place, given_up);
            }
            places.insert(place);
        }
    }
    let began = tokio::time::Instant::now();
    let seen = observe(&aws, &places, &Scope::Discovery).await;
    assert_eq!(began.elapsed(), given_up);
    assert_eq!((seen.places.len(), seen.unread.len()), (201, 200));
    let asked: BTreeSet<Place> = aws.journal().into_iter().map(|call| call.place).collect();
    let silent: Vec<&Place> = asked.iter().filter(|place| place.region.as_str() == "eu-west-1").collect();
    assert_eq!(silent.len(), PLACES_AT_ONCE);
    for (place, why) in &seen.unread {
        assert!(why.contains(&format!("in {place} failed")), "{why}");
        assert_eq!(why.contains("not asked"), !silent.contains(&place), "{why}");
    }

    // An endpoint that answered somebody is there: who gets no reply from it is alone with that.
    let (first, last) = (place("300000000000/us-east-1"), place("300000000199/us-east-1"));
    aws.silence(&first, given_up);
    aws.forget_calls();
    places.retain(|place| place.region.as_str() == "us-east-1");
    let seen = observe(&aws, &places, &Scope::Discovery).await;
    assert_eq!(seen.unread.keys().collect::<Vec<_>>(), [&first]);
    assert!(seen.places.contains_key(&last));
}

#[tokio::test(start_paused = true)]
async fn shares_are_read_at_home_once_there_are_other_accounts() {
    let aws = filled().await;
    let member = place("222222222222/us-east-1");
    aws.add_place(&member);
    let ram = aws.shares(&home()).await.unwrap();
    let target = aws.contents(&home()).targets[0].id.clone();
    let share = crate::ports::NewShare {
        name: "prod".to_owned(),
        parts: crate::ports::ShareParts {
            principals: BTreeSet::from([member.account.to_string()]),
            targets: BTreeSet::from([target.clone()]),
        },
        allows_external: true,
        tags: enigma_fleet::inventory::Tags::from([("enigma:fleet".to_owned(), "other".to_owned())]),
        token: crate::ports::ClientToken("s".to_owned()),
    };
    ram.create_share(&share).await.unwrap();
    // A network account shares a thousand other things.
    let strange = crate::ports::NewShare {
        parts: crate::ports::ShareParts::default(),
        tags: enigma_fleet::inventory::Tags::new(),
        token: crate::ports::ClientToken("x".to_owned()),
        ..share
    };
    ram.create_share(&strange).await.unwrap();
    let scope = Scope::Mirroring { interfaces: BTreeMap::new() };
    let mut alone = observe(&aws, &BTreeSet::from([home()]), &scope).await;
    assert!(alone.places[&home()].shares.is_empty());
    shares(&aws, &mut alone, &BTreeSet::from([home(), member.clone()])).await;
    assert_eq!(alone.places[&home()].shares.len(), 1);

    aws.forget_calls();
    let both = BTreeSet::from([home(), member.clone()]);
    let seen = observe(&aws, &both, &scope).await;
    let known = seen.places[&home()].shares.clone();
    assert_eq!(known, aws.contents(&home()).shares[..1], "those of fleets, whichever");
    assert!(seen.places[&member].targets.is_empty(), "the invitation was not accepted");
    assert_eq!(aws.journal().len(), 7);
    let of_fleet = Scope::Owned { fleet: "prod".parse().unwrap() };
    assert!(observe(&aws, &both, &of_fleet).await.places[&home()].shares.is_empty(), "it is another's");

    aws.delay(&home(), "GetResourceShares", Duration::from_secs(3600));
    let began = tokio::time::Instant::now();
    let seen = observe(&aws, &both, &scope).await;
    assert_eq!(began.elapsed().as_secs(), 60);
    let why = &seen.unread[&home()];
    assert!(why.contains("RAM did not answer within 60 s") && seen.places.contains_key(&member), "{why}");

    aws.heal();
    aws.deny_operation(&home(), "GetResourceShares");
    let seen = observe(&aws, &both, &scope).await;
    assert!(seen.unread[&home()].contains("GetResourceShares"), "{:?}", seen.unread);

    aws.heal();
    let invitation = aws.shares(&member).await.unwrap().invitations().await.unwrap().remove(0);
    aws.shares(&member).await.unwrap().accept(&invitation).await.unwrap();
    let seen = observe(&aws, &both, &scope).await;
    assert_eq!(seen.places[&member].targets[0].id, target);
    assert_eq!(seen.places[&member].targets[0].owner, home().account);
}
