use proptest::prelude::*;

use super::*;

fn take<'a>(
    stream: &mut Stream,
    first: u32,
    sequence: u32,
    data: &'a [u8],
    wire_len: u32,
) -> Result<Taken<'a>, Lost> {
    stream.take(first, Segment { sequence, read_up_to: None, data, wire_len })
}

/// Takes a segment and keeps everything.
fn keep(stream: &mut Stream, first: u32, sequence: u32, data: &[u8], wire_len: u32) -> Result<bool, Lost> {
    match take(stream, first, sequence, data, wire_len)? {
        Taken::Nothing => Ok(false),
        Taken::Direct(new) => stream.leave(new, 0).map(|()| true),
        Taken::Ready => stream.consume(0).map(|()| true),
    }
}

#[test]
fn segments_are_put_in_order_across_the_wrap_of_numbers() {
    let first = u32::MAX - 2;
    let mut stream = Stream::default();
    assert_eq!(keep(&mut stream, first, 3, b"ghi", 3), Ok(false));
    assert_eq!(keep(&mut stream, first, 0, b"def", 3), Ok(false));
    assert_eq!(keep(&mut stream, first, first, b"abc", 3), Ok(true));
    assert_eq!(stream.ready(), b"abcdefghi");
    // Sent again, and partly new.
    assert_eq!(keep(&mut stream, first, 0, b"def", 3), Ok(false));
    assert_eq!(keep(&mut stream, first, 4, b"hijk", 4), Ok(true));
    assert_eq!(stream.ready(), b"abcdefghijk");
    assert_eq!(stream.held_bytes, 0);
}

#[test]
fn what_is_in_turn_is_not_copied() {
    let mut stream = Stream::default();
    assert_eq!(take(&mut stream, 1, 1, b"abcd", 4), Ok(Taken::Direct(b"abcd")));
    assert_eq!(stream.leave(b"abcd", 4), Ok(()));
    assert_eq!(stream.bytes(), 0);
    assert_eq!(take(&mut stream, 1, 5, b"efgh", 4), Ok(Taken::Direct(b"efgh")));
    assert_eq!(stream.leave(b"efgh", 1), Ok(()));
    assert_eq!(take(&mut stream, 1, 9, b"i", 1), Ok(Taken::Ready));
    assert_eq!(stream.ready(), b"fghi");
}

#[test]
fn what_is_skipped_is_not_held_and_may_be_cut_or_missing() {
    let mut stream = Stream::default();
    keep(&mut stream, 1, 1, b"head", 4).unwrap();
    stream.consume(4 + 1_000_000).unwrap();
    assert_eq!(take(&mut stream, 1, 5, &[0; 100], 60_000), Ok(Taken::Nothing));
    // A hole before this one, which is filled too late.
    assert_eq!(take(&mut stream, 1, 100_005, &[], 800_000), Ok(Taken::Nothing));
    assert_eq!(take(&mut stream, 1, 60_005, &[0; 40_000], 40_000), Ok(Taken::Nothing));
    // Nothing is new, but that all of it has gone by.
    assert_eq!(take(&mut stream, 1, 900_005, &[], 100_000), Ok(Taken::Direct(b"")));
    assert_eq!(take(&mut stream, 1, 1_000_005, b"tail", 4), Ok(Taken::Direct(b"tail")));
    assert!(stream.bytes() < 200);
}

#[test]
fn what_is_before_a_cut_is_shown_before_it_ends() {
    let mut cut = Stream::default();
    assert_eq!(take(&mut cut, 1, 1, b"abc", 100), Ok(Taken::Direct(b"abc")));
    assert_eq!(cut.clone().leave(b"abc", 99), Err(Lost));
    // Everything that is missing was to be skipped.
    assert_eq!(cut.leave(b"abc", 100), Ok(()));
    assert_eq!(take(&mut cut, 1, 101, b"x", 1), Ok(Taken::Direct(b"x")));
}

#[test]
fn excessive_content_ends_it() {
    let mut full = Stream::default();
    assert_eq!(keep(&mut full, 1, 1, &[0; BUDGET], BUDGET as u32), Ok(true));
    assert_eq!(keep(&mut full, 1, 1 + BUDGET as u32, b"x", 1), Err(Lost));
    let mut holes = Stream::default();
    for index in 0..MAX_HELD as u32 {
        assert_eq!(keep(&mut holes, 1, 10 + index, b"x", 1), Ok(false));
    }
    assert_eq!(keep(&mut holes, 1, 40, b"x", 1), Err(Lost));
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
            if keep(&mut stream, first, sequence, data, data.len() as u32).is_err() {
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

    /// A parser that takes as much as it likes at each turn sees every byte once and in order.
    #[test]
    fn consumed_bytes_are_seen_once_and_in_order(
        pieces in prop::collection::vec((1_usize..30, 0_u64..50), 1..40),
    ) {
        let text: Vec<u8> = (0..=255).cycle().take(1200).collect();
        let (mut stream, mut at, mut seen) = (Stream::default(), 0, 0_u64);
        for &(len, want) in &pieces {
            let data = &text[at..at + len];
            match take(&mut stream, 7, 7 + at as u32, data, len as u32) {
                Ok(Taken::Direct(new)) => {
                    prop_assert!(text[seen as usize..].starts_with(new));
                    stream.leave(new, want).unwrap();
                    seen += want;
                }
                Ok(Taken::Ready) => {
                    prop_assert!(text[seen as usize..].starts_with(stream.ready()));
                    stream.consume(want).unwrap();
                    seen += want;
                }
                Ok(Taken::Nothing) => prop_assert!(seen >= (at + len) as u64),
                Err(Lost) => prop_assert!(false),
            }
            at += len;
        }
    }
}
