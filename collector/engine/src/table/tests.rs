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
    assert_eq!((size_of::<Flow>(), size_of::<Entry>(), size_of::<TcpFlow>()), (120, 144, 112));
}
