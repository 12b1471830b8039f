//! `Delay[::START[::STOP]]`: waits a while (`resources.md` 9). Its `status` answers at once: the original's waits, too,
//! and delays every look at the group.

use crate::haresources::Verb;
use crate::haresources::known::Delay;

use super::pseudo::PseudoResource;
use super::{Answer, pause};

pub(super) fn run(mark: &PseudoResource, args: &[String], verb: Verb) -> Answer {
    let waits = match Delay::read(args) {
        Ok(waits) => waits,
        Err(fault) if verb == Verb::Start => return Answer::failed(2, fault.to_string()),
        Err(fault) => return idle(verb).because(fault.to_string()),
    };
    let done = match verb {
        Verb::Status if mark.is_set() => return Answer::running(),
        Verb::Status => return Answer::stopped(),
        Verb::Start if mark.is_set() => Ok(()),
        Verb::Start => {
            pause(waits.start);
            mark.set()
        }
        Verb::Stop if !mark.is_set() => Ok(()),
        Verb::Stop => {
            pause(waits.stop);
            mark.clear()
        }
    };
    done.map_or_else(|why| Answer::failed(1, why), |()| Answer::success())
}

fn idle(verb: Verb) -> Answer {
    if verb == Verb::Status { Answer::stopped() } else { Answer::success() }
}
