use std::time::Duration;

use super::*;

fn tcp_frame(source: u16, destination: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(source.to_be_bytes());
    frame.extend(destination.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}

/// A classic pcap, microseconds, little-endian.
fn pcap(link: u32, frames: &[Vec<u8>]) -> tempfile::NamedTempFile {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, link].map(u32::to_le_bytes).concat();
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap();
        bytes.extend([1_700_000_000, 0, length, length].map(u32::to_le_bytes).concat());
        bytes.extend(frame);
    }
    file.write_all(&bytes).unwrap();
    file
}

fn args(capture: &tempfile::NamedTempFile, to: SocketAddr) -> SendArgs {
    SendArgs {
        capture: capture.path().to_owned(),
        to: to.to_string(),
        vni: 0x12_3456,
        rate: None,
        realtime: false,
        repeat: 1,
        source: Some("127.0.0.1".parse().unwrap()),
    }
}

/// Without taking the test's own signals over.
fn until_end(args: &SendArgs) -> Result<Outcome, SendError> {
    until(args, Stop::default())
}

fn receiver() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

#[test]
fn each_frame_arrives_in_vxlan_and_each_direction_keeps_its_port() {
    let frames: Vec<Vec<u8>> =
        (0..20).map(|n| if n % 2 == 0 { tcp_frame(40_000, 443) } else { tcp_frame(443, 40_000) }).collect();
    let receiver = receiver();
    let outcome = until_end(&args(&pcap(1, &frames), receiver.local_addr().unwrap())).unwrap();
    assert!(outcome.whole());
    assert_eq!((outcome.sent, outcome.bytes), (20, 20 * (8 + 54)));
    let mut ports = [None, None];
    for (number, frame) in frames.iter().enumerate() {
        let mut datagram = [0; 2048];
        let (length, from) = receiver.recv_from(&mut datagram).unwrap();
        assert_eq!(datagram[..8], [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
        assert_eq!(&datagram[8..length], frame);
        assert_eq!(*ports[number % 2].get_or_insert_with(|| from.port()), from.port());
    }
}

#[test]
fn frames_without_ethernet_get_a_header_and_the_rest_is_told() {
    let packet = tcp_frame(1, 2)[14..].to_vec();
    let mut cooked = vec![0; 14];
    cooked.extend([0x08, 0x00]);
    cooked.extend(&packet);
    let mut loopback = vec![2, 0, 0, 0];
    loopback.extend(&packet);
    for (link, frame, fits) in [
        (101, packet.clone(), true),
        (113, cooked, true),
        (0, loopback, true),
        (101, vec![0x50], false),
        (127, packet.clone(), false),
    ] {
        let receiver = receiver();
        let outcome = until_end(&args(&pcap(link, &[frame]), receiver.local_addr().unwrap())).unwrap();
        assert_eq!(
            (outcome.sent, outcome.unsupported, outcome.whole()),
            (u64::from(fits), u64::from(!fits), fits)
        );
        if fits {
            let mut datagram = [0; 2048];
            let length = receiver.recv(&mut datagram).unwrap();
            assert_eq!(datagram[8 + 12..8 + 14], [0x08, 0x00]);
            assert_eq!(datagram[8 + 14..length], packet);
        }
    }
}

#[test]
fn what_could_not_be_sent_is_told() {
    let receiver = receiver();
    let to = receiver.local_addr().unwrap();
    let outcome = until_end(&args(&pcap(1, &[vec![0; 65_500], vec![0; 65_499]]), to)).unwrap();
    assert_eq!((outcome.sent, outcome.too_large), (1, 1));
    assert!(outcome.to_string().contains("too large"), "{outcome}");

    drop(receiver);
    let frames = vec![tcp_frame(1, 2); 50];
    let outcome = until_end(&args(&pcap(1, &frames), to)).unwrap();
    assert!(outcome.refused > 0 && !outcome.whole(), "{outcome}");

    let mut elsewhere = args(&pcap(1, &frames), to);
    elsewhere.source = Some("192.0.2.1".parse().unwrap());
    assert!(matches!(until_end(&elsewhere), Err(SendError::Source { .. })));
    elsewhere.source = Some("::1".parse().unwrap());
    assert!(matches!(until_end(&elsewhere), Err(SendError::Family { family: "IPv6", .. })));
    elsewhere.to = "nonsense".to_owned();
    assert!(matches!(until_end(&elsewhere), Err(SendError::Address { .. })));
}

#[test]
fn a_loop_sends_the_capture_again() {
    let receiver = receiver();
    let capture = pcap(1, &[tcp_frame(1, 2)]);
    let mut args = args(&capture, receiver.local_addr().unwrap());
    args.repeat = 3;
    args.rate = Some(1_000_000);
    assert_eq!(until_end(&args).unwrap().sent, 3);
}

#[test]
fn a_stop_ends_the_longest_gap_and_tells_what_was_sent() {
    let receiver = receiver();
    // The second frame is due in an hour.
    let capture = pcap(1, &[tcp_frame(1, 2), tcp_frame(3, 4)]);
    let mut bytes = std::fs::read(capture.path()).unwrap();
    let second = 24 + 16 + tcp_frame(1, 2).len();
    bytes[second..second + 4].copy_from_slice(&(1_700_000_000_u32 + 3_600).to_le_bytes());
    std::fs::write(capture.path(), bytes).unwrap();
    let mut args = args(&capture, receiver.local_addr().unwrap());
    (args.realtime, args.repeat) = (true, 7);
    let stop = Stop::default();
    let sending = std::thread::spawn({
        let stop = stop.clone();
        move || until(&args, stop).unwrap()
    });
    receiver.recv(&mut [0; 100]).unwrap();
    stop.set();
    let outcome = sending.join().unwrap();
    assert_eq!((outcome.sent, outcome.whole()), (1, false));
    assert!(outcome.to_string().contains("stopped before the end"), "{outcome}");
}
