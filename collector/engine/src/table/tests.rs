use super::*;
use crate::EngineConfig;

/// The documentation of the default promises a number of flows.
#[test]
fn the_default_budget_holds_what_it_says() {
    let flows = EngineConfig::default().max_flows();
    assert!((1_000_000..1_100_000).contains(&flows), "{flows} flows of {BYTES_PER_FLOW} bytes");
}

#[test]
fn the_bound_has_a_floor() {
    assert_eq!(EngineConfig { flow_memory: 0, ..EngineConfig::default() }.max_flows(), 16);
}

/// What the budget is reckoned with.
#[test]
fn a_flow_takes_what_it_says() {
    assert_eq!((size_of::<Flow>(), size_of::<Place>(), size_of::<TcpFlow>()), (120, 144, 112));
}

/// More memory never holds fewer flows, and the index that they get is no larger than what was reckoned.
#[test]
fn the_index_is_part_of_the_budget() {
    let mut before = 0;
    for step in 0..400 {
        let bytes = 10_000 + step * step * 100;
        for is_dropping in [false, true] {
            let flows = max_flows(bytes, is_dropping);
            let entries = if is_dropping { flows + flows / 2 } else { flows };
            let reckoned = flows * BYTES_PER_FLOW + Index::bytes(entries);
            assert!(reckoned <= bytes, "{flows} flows in {bytes} bytes take {reckoned}");
            if !is_dropping {
                assert!(flows >= before, "{flows} flows in {bytes} bytes");
                before = flows;
            }
        }
    }
}
