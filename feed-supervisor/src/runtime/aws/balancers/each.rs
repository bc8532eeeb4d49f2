//! Calls that ask for many load balancers at once, and that fail as a whole because of one of them.

use super::NOT_THERE;
use crate::runtime::aws::CallError;

/// Load balancers that one call may ask for: `DescribeTags` of either API, and `DescribeLoadBalancers` by ARN.
const AT_ONCE: usize = 20;

/// How many calls in a row may fail before it is no longer one load balancer's fault.
const IN_A_ROW: usize = 8;

/// What is still to be asked for. As many as possible at once; those of a call that fails are asked for again in halves, until
/// it is known which of them it is about.
#[derive(Debug)]
pub(super) struct EachForItself {
    open: Vec<Vec<String>>,
    failed_in_a_row: usize,
    /// What has failed, other than that something is not there.
    failures: Vec<CallError>,
}

impl EachForItself {
    pub(super) fn new(ids: &[String]) -> Self {
        let open = ids.chunks(AT_ONCE).rev().map(<[String]>::to_vec).collect();
        Self { open, failed_in_a_row: 0, failures: Vec::new() }
    }

    /// What to ask for next. What comes of it is told by [`Self::done`].
    pub(super) fn next(&mut self) -> Option<Vec<String>> {
        self.open.pop()
    }

    /// Takes in what came of it; what was told, if it was.
    pub(super) fn done<T>(&mut self, mut ids: Vec<String>, outcome: Result<T, CallError>) -> Option<T> {
        let error = match outcome {
            Ok(told) => {
                self.failed_in_a_row = 0;
                return Some(told);
            }
            Err(error) => error,
        };
        let is_missing = error.is_any_of(NOT_THERE);
        if is_missing && ids.len() == 1 {
            return None;
        }
        let throttled = error.is_throttled();
        // After a call too many the next would be too many as well.
        self.failed_in_a_row += if is_missing {
            0
        } else if throttled {
            IN_A_ROW / 2
        } else {
            1
        };
        if ids.len() > 1 && !throttled && self.failed_in_a_row < IN_A_ROW {
            let half = ids.split_off(ids.len() / 2);
            self.open.extend([half, ids]);
            return None;
        }
        self.failures.push(error);
        if self.failed_in_a_row >= IN_A_ROW {
            self.open.clear();
        }
        None
    }

    pub(super) fn failures(self) -> Vec<CallError> {
        self.failures
    }
}

#[cfg(test)]
mod tests;
