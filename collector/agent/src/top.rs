//! The heaviest flows of all workers, on request: a question that workers see between batches, each walking its own table
//! a little at a time, and answers that are put together by who asked. No packet waits for it. One question at a time:
//! a later one takes the place of one that waits, and its answer does for both, because workers always tell as many
//! flows as anybody may ask for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use enigma_engine::{FlowView, Pipeline, Timestamp, TopFlows};
use serde_json::{Map, Value, json};

use crate::directory::Directory;

/// Most flows of an answer: as many as a person pages through, and some kilobytes each worker.
pub(crate) const MOST: usize = 1_000;

/// Places of the table that a worker looks at between two batches: some ten microseconds' worth, so that a table of a
/// million flows takes some two hundred batches.
const STEP: u32 = 4_096;

/// What workers are asked, and what they said.
#[derive(Debug)]
pub(crate) struct Question {
    /// Number of the latest question, from 1.
    asked: AtomicU32,
    answers: Vec<Mutex<Answer>>,
}

#[derive(Debug, Default)]
struct Answer {
    number: u32,
    flows: Vec<FlowView>,
}

impl Question {
    pub(crate) fn new(workers: usize) -> Self {
        Self { asked: AtomicU32::new(0), answers: (0..workers).map(|_| Mutex::default()).collect() }
    }

    /// Asks for the heaviest flows; the number to collect the answers by.
    pub(crate) fn ask(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The heaviest `count` flows, at most [`MOST`], once every worker has answered question `number` or a later one, and which bytes and
    /// packets they have; `None` before.
    pub(crate) fn collect(&self, number: u32, count: usize) -> Option<Vec<(usize, FlowView)>> {
        let mut all = Vec::new();
        for (worker, answer) in self.answers.iter().enumerate() {
            let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
            if answer.number.wrapping_sub(number) > u32::MAX / 2 {
                return None;
            }
            all.extend(answer.flows.iter().map(|flow| (worker, flow.clone())));
        }
        all.sort_by_key(|(_, flow)| std::cmp::Reverse(flow.ip_bytes.iter().sum::<u64>()));
        all.truncate(count);
        Some(all)
    }
}

/// One worker's side.
#[derive(Default)]
pub(crate) struct Searcher {
    number: u32,
    search: Option<TopFlows>,
}

impl Searcher {
    /// Between two batches: takes up a new question, or carries the search of the last one on.
    pub(crate) fn step(&mut self, worker: usize, question: &Question, pipeline: &Pipeline) {
        let asked = question.asked.load(Ordering::Relaxed);
        if asked != self.number && self.search.is_none() {
            self.number = asked;
            self.search = Some(TopFlows::new(MOST));
        }
        let Some(search) = &mut self.search else { return };
        if let Some(flows) = pipeline.search(search, STEP) {
            self.search = None;
            if let Some(answer) = question.answers.get(worker) {
                *answer.lock().unwrap_or_else(PoisonError::into_inner) =
                    Answer { number: self.number, flows };
            }
        }
    }

    /// Whether a search is under way: a worker then does not sleep long.
    pub(crate) fn is_busy(&self) -> bool {
        self.search.is_some()
    }
}

/// Flows as JSON, with the fields that their records will have, those of the directory of sessions too.
pub(crate) fn render(flows: &[(usize, FlowView)], directory: Option<&Directory>) -> Value {
    let flows: Vec<Value> = flows.iter().map(|(worker, flow)| one(*worker, flow, directory)).collect();
    json!({ "flows": flows })
}

fn one(worker: usize, flow: &FlowView, directory: Option<&Directory>) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    let mut uid = Vec::new();
    flow.uid.write(&mut uid);
    put("uid", String::from_utf8_lossy(&uid).into_owned().into());
    put("ts", seconds(flow.first).into());
    put("last", seconds(flow.last).into());
    put("id.orig_h", flow.originator.0.to_string().into());
    put("id.orig_p", flow.originator.1.into());
    put("id.resp_h", flow.responder.0.to_string().into());
    put("id.resp_p", flow.responder.1.into());
    put("proto", flow.proto.as_str().into());
    let services: Vec<&str> = flow.services.names().collect();
    if !services.is_empty() {
        put("service", services.join(",").into());
    }
    put("orig_pkts", flow.packets[0].into());
    put("orig_ip_bytes", flow.ip_bytes[0].into());
    put("resp_pkts", flow.packets[1].into());
    put("resp_ip_bytes", flow.ip_bytes[1].into());
    if let Some(vantage) = flow.vantage {
        put("enigma.vni", vantage.vni.get().into());
        put("enigma.source_ip", vantage.source.to_string().into());
        if let Some(directory) = directory {
            object.append(&mut directory.told(vantage));
        }
    }
    object.insert("worker".to_owned(), worker.into());
    Value::Object(object)
}

#[allow(clippy::cast_precision_loss, reason = "microseconds since 1970 have 51 bits")]
fn seconds(at: Timestamp) -> f64 {
    (at.as_nanos() / 1_000) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use enigma_engine::{EngineConfig, FrameMode, LinkType, RecordBatch};
    use enigma_test_support::packets::{ethernet, udp};

    use super::*;

    /// A pipeline in which flow `n` of `flows` has sent `n + first` packets.
    fn pipeline(first: u32, flows: u32) -> Pipeline {
        let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 8 << 20, ..EngineConfig::default() });
        let mut out = RecordBatch::new();
        for n in 0..flows {
            let from = format!("10.0.{}.{}:{}", n / 250, n % 250, 40_000 + first).parse().unwrap();
            let frame = ethernet(&udp(from, "10.9.9.9:9000".parse().unwrap(), b"x"));
            for _ in 0..first + n {
                let at = Timestamp::from_parts(1_700_000_000, 0);
                pipeline.frame(
                    at,
                    LinkType::Ethernet,
                    &frame,
                    frame.len() as u32,
                    FrameMode::Plain,
                    &mut out,
                );
            }
        }
        pipeline
    }

    #[test]
    fn the_heaviest_of_all_workers_come_first_and_only_when_all_have_answered() {
        let question = Question::new(2);
        let pipelines = [pipeline(1, 50), pipeline(30, 40)];
        let mut searchers = [Searcher::default(), Searcher::default()];
        // Nobody has asked: nothing is searched.
        searchers[0].step(0, &question, &pipelines[0]);
        assert!(!searchers[0].is_busy());
        let number = question.ask();
        assert_eq!(question.collect(number, 7), None);
        for worker in 0..2 {
            for _ in 0..1_000 {
                searchers[worker].step(worker, &question, &pipelines[worker]);
            }
            assert_eq!(question.collect(number, 7).is_some(), worker == 1, "after worker {worker}");
        }
        let found = question.collect(number, 7).unwrap();
        let packets: Vec<u64> = found.iter().map(|(_, flow)| flow.packets.iter().sum()).collect();
        assert_eq!(packets, [69, 68, 67, 66, 65, 64, 63]);
        assert!(found.iter().all(|(worker, _)| *worker == 1));
        let rendered = render(&found, None);
        assert_eq!(rendered["flows"][0]["orig_pkts"], 69);
        assert_eq!(rendered["flows"][0]["id.resp_h"], "10.9.9.9");
        // An old answer does for who asked before it.
        assert!(question.collect(number.wrapping_sub(1), 7).is_some());
        assert_eq!(question.collect(question.ask(), 7), None);
    }

    #[test]
    fn a_later_question_for_less_leaves_an_earlier_one_all_it_asked_for() {
        let (question, pipeline, mut searcher) = (Question::new(1), pipeline(1, 50), Searcher::default());
        let first = question.ask();
        // Before a worker has seen the first, and once more while it searches.
        question.ask();
        searcher.step(0, &question, &pipeline);
        let last = question.ask();
        for _ in 0..1_000 {
            searcher.step(0, &question, &pipeline);
        }
        assert_eq!(question.collect(first, 40).unwrap().len(), 40);
        assert_eq!(question.collect(last, 1).unwrap().len(), 1);
    }
}
