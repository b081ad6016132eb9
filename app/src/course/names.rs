//! both: what the devices of a course are called.

use wire::CourseView;

use crate::format::short_id;

/// Each device's name, in the order of [`CourseView::devices`]. Where two have the same, and where
/// one left before it had any, its id tells it from the others.
pub(crate) fn names_of(course: &CourseView) -> Vec<String> {
    let names = course.devices.iter().map(|device| {
        let id = short_id(&device.worker);
        let namesakes = course
            .devices
            .iter()
            .filter(|other| other.name == device.name);
        match namesakes.count() {
            _ if device.name.is_empty() => id,
            1 => device.name.clone(),
            _ => format!("{} ({id})", device.name),
        }
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use wire::{CourseDevice, WorkerId, WorkerKind};

    use super::*;

    #[test]
    fn devices_of_one_name_are_told_apart_by_their_ids() {
        let devices = [("laptop", 1), ("phone", 2), ("phone", 3), ("", 4)];
        let devices = devices.map(|(name, id)| CourseDevice {
            worker: WorkerId::from_bytes([id; 16]),
            kind: WorkerKind::Browser,
            name: name.to_owned(),
        });
        let course = CourseView {
            devices: devices.to_vec(),
            ..CourseView::default()
        };
        let names = names_of(&course);
        assert_eq!(
            names,
            ["laptop", "phone (02020202)", "phone (03030303)", "04040404"]
        );
    }
}
