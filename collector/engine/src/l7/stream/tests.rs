use proptest::prelude::*;

use super::*;

#[test]
fn segments_are_put_in_order_across_the_wrap_of_numbers() {
    let first = u32::MAX - 2;
    let mut stream = Stream::default();
    assert_eq!(stream.take(first, 3, b"ghi", 3), Ok(false));
    assert_eq!(stream.take(first, 0, b"def", 3), Ok(false));
    assert_eq!(stream.take(first, first, b"abc", 3), Ok(true));
    assert_eq!(stream.ready(), b"abcdefghi");
    // Sent again, and partly new.
    assert_eq!(stream.take(first, 0, b"def", 3), Ok(false));
    assert_eq!(stream.take(first, 4, b"hijk", 4), Ok(true));
    assert_eq!(stream.ready(), b"abcdefghijk");
    assert_eq!(stream.held_bytes, 0);
}

#[test]
fn what_is_skipped_is_not_held_and_may_be_cut() {
    let mut stream = Stream::default();
    stream.take(1, 1, b"head", 4).unwrap();
    stream.consume(4 + 1_000_000);
    assert_eq!(stream.take(1, 5, &[0; 100], 60_000), Ok(false));
    assert_eq!(stream.take(1, 60_005, &[], 940_000), Ok(false));
    assert_eq!(stream.take(1, 1_000_005, b"tail", 4), Ok(true));
    assert_eq!((stream.ready(), stream.bytes() < 200), (&b"tail"[..], true));
}

#[test]
fn missing_and_excessive_content_ends_it() {
    let mut cut = Stream::default();
    assert_eq!(cut.take(1, 1, b"abc", 4), Err(Lost));
    let mut full = Stream::default();
    assert_eq!(full.take(1, 1, &[0; BUDGET], BUDGET as u32), Ok(true));
    assert_eq!(full.take(1, 1 + BUDGET as u32, b"x", 1), Err(Lost));
    let mut holes = Stream::default();
    for index in 0..MAX_HELD as u32 {
        assert_eq!(holes.take(1, 10 + index, b"x", 1), Ok(false));
    }
    assert_eq!(holes.take(1, 40, b"x", 1), Err(Lost));
}

proptest! {
    /// However a text is cut, repeated and shuffled: what is ready is always a prefix of it, within the budget.
    #[test]
    fn ready_is_a_prefix_of_what_was_sent(
        pieces in prop::collection::vec((0_usize..200, 1_usize..40), 1..60),
        first in any::<u32>(),
    ) {
        let text: Vec<u8> = (0..240_u8).collect();
        let mut stream = Stream::default();
        for &(start, len) in &pieces {
            let data = &text[start..(start + len).min(text.len())];
            let sequence = first.wrapping_add(start as u32);
            if stream.take(first, sequence, data, data.len() as u32).is_err() {
                prop_assert_eq!(stream.held.len(), MAX_HELD);
                return Ok(());
            }
            prop_assert!(text.starts_with(stream.ready()));
            prop_assert!(stream.held_bytes <= BUDGET);
        }
        // Nothing that could be in order is held back.
        let end = first.wrapping_add(stream.ready().len() as u32);
        prop_assert!(stream.held.iter().all(|held| held.sequence.wrapping_sub(end) as i32 > 0));
    }
}
