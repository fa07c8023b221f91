//! The memory AWS and the adapter on the simulator give the same answers to the same calls.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod backend;
mod run;
mod steps;
mod view;

use backend::{memory, simulated};
use run::Player;

/// Every step on both sides; all differences are reported, not only the first.
#[tokio::test]
async fn both_sides_give_the_same_answers_and_show_the_same_world() {
    let steps = steps::all();
    assert!(steps.len() >= 40, "only {} steps", steps.len());
    let (mut ours, mut wire) = (Player::new(memory().await).await, Player::new(simulated().await).await);
    let mut differences = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        for player in [&mut ours, &mut wire] {
            let given = player.play(&step.call).await;
            if given != step.answer {
                let detail = player.last_error();
                let side = player.backend().name;
                differences.push(format!(
                    "{number}: {}\n    the list says {:?}, {side} says {given:?} {detail}",
                    step.what, step.answer
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
async fn a_difference_between_the_worlds_is_seen() {
    let (mut ours, wire) = (Player::new(memory().await).await, Player::new(simulated().await).await);
    assert_eq!(ours.view().await, wire.view().await);
    ours.play(&run::Do::Filter { name: "only here", tags: &[], token: "x" }).await;
    assert_ne!(ours.view().await, wire.view().await);
}
