//! Keeps what is remembered of contents within its bound: where it is used up, flows that were silent give way to those
//! that speak.

use super::Pipeline;
use crate::{RecordBatch, slab::Slot};

/// Flows that give way at most for one packet. One is enough nearly always: a packet adds less than a flow has.
const GIVE_WAY: usize = 4;

impl Pipeline {
    /// Gives up the contents of silent flows until there is room again for that of the flow in `slot`, which has grown;
    /// its own, if there are none.
    #[cold]
    pub(super) fn shed_content(&mut self, slot: Slot, out: &mut RecordBatch) {
        for _ in 0..GIVE_WAY {
            if !self.inspector.is_over() {
                return;
            }
            let Some(silent) = self.table.silent_content(slot) else { break };
            self.give_up_content(silent, out);
        }
        if self.inspector.is_over() {
            self.give_up_content(slot, out);
        }
    }

    fn give_up_content(&mut self, slot: Slot, out: &mut RecordBatch) {
        let Self { table, inspector, recorder, stats, .. } = self;
        if let Some(flow) = table.flow_mut(slot) {
            inspector.give_up(flow, (recorder, stats, out));
        }
    }
}
