//! Shares, load balancers and the organization: the memory AWS and the adapter on the simulator give the same answers
//! to the same calls, made by the home account and by the accounts it shares with.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod backend;
mod run;
mod steps;
mod view;

use backend::{memory, simulated};
use run::{Do, Player};

/// Every step on both sides; all differences are reported, not only the first.
#[tokio::test]
async fn both_sides_share_alike() {
    let steps = steps::all();
    assert!(steps.len() >= 60, "only {} steps", steps.len());
    let (mut ours, mut wire) = (Player::new(memory()), Player::new(simulated().await));
    let mut differences = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        for player in [&mut ours, &mut wire] {
            let given = player.play(&step.call).await;
            if given != step.answer {
                differences.push(format!(
                    "{number}: {}\n    the list says {:?}, {} says {given:?} {}",
                    step.what,
                    step.answer,
                    player.name(),
                    player.last_error()
                ));
            }
        }
        let (left, right) = (ours.view().await, wire.view().await);
        if left != right {
            differences.push(format!("{number}: {}\n  memory:\n{left}\n  wire:\n{right}", step.what));
            break;
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

/// The suite would notice: the two sides differ as soon as one of them is touched.
#[tokio::test]
async fn a_difference_between_the_companies_is_seen() {
    let (mut ours, wire) = (Player::new(memory()), Player::new(simulated().await));
    assert_eq!(ours.view().await, wire.view().await);
    let share = Do::Share { name: "s", external: false, principals: &["inside"], targets: &[], token: "x" };
    ours.play(&share).await;
    assert_ne!(ours.view().await, wire.view().await);
}
