//! Interfaces that shall receive: whether they are there, and whether anybody listens at them. Who uses them already is told by
//! [`crate::diff`], which cannot go on then.

use crate::check::preflight::Scene;
use crate::finding::{Finding, FindingKind};
use crate::given::Given;
use crate::inventory::Destination;
use crate::problem::Path;

/// What AWS tells of an interface that is a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Whether it belongs to an instance or to a service.
    pub is_attached: bool,
}

pub(super) fn look(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    for (label, target) in &scene.spec.targets {
        let (Given::Known(Destination::Interface(interface)), Some(asked)) =
            (&target.destination, scene.answers.interfaces.get(label))
        else {
            continue;
        };
        let (label, interface) = (label.clone(), interface.clone());
        let at = Path::root().attr("targets").key(label.as_str()).attr("network_interface_id");
        let kind = match asked {
            None => {
                FindingKind::InterfaceMissing { target: label, interface, place: target.place(scene.home) }
            }
            Some(facts) if !facts.is_attached => {
                FindingKind::InterfaceUnattached { target: label, interface }
            }
            Some(_) => continue,
        };
        findings.push(Finding::at(at, kind));
    }
}
