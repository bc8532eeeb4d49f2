//! How the memory of processes grows.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feed_tests::Process;
use tokio::task::JoinHandle;

/// Looks at processes every second.
pub(crate) struct Memory {
    series: Arc<Mutex<[Series; 2]>>,
    sampler: JoinHandle<()>,
}

/// What a process had at which second.
struct Series {
    process: Process,
    samples: Vec<(f64, f64)>,
}

/// How the memory of a process went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// For how long it was looked at, in minutes.
    pub(crate) minutes: f64,
    /// Its mean, in KiB.
    pub(crate) mean: f64,
    /// Of the straight line through all samples, in KiB a minute.
    pub(crate) slope: f64,
}

impl Memory {
    /// Of `feed-ingress` and of nginx's master.
    pub(crate) fn watch(processes: [Process; 2]) -> Self {
        let series = Arc::new(Mutex::new(processes.map(|process| Series { process, samples: Vec::new() })));
        let sampler = tokio::spawn({
            let (series, start) = (Arc::clone(&series), Instant::now());
            async move {
                loop {
                    for series in &mut *series.lock().unwrap() {
                        if let Some(resident) = resident(series.process) {
                            series.samples.push((start.elapsed().as_secs_f64() / 60.0, resident));
                        }
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        });
        Self { series, sampler }
    }

    /// What came after the first part of the time, in which caches and pools fill.
    pub(crate) fn growth(self, first: f64) -> [Growth; 2] {
        self.sampler.abort();
        let series = self.series.lock().unwrap();
        [0, 1].map(|index| {
            let samples = &series[index].samples;
            let skipped = (samples.len() as f64 * first) as usize;
            line(&samples[skipped..])
        })
    }
}

/// The resident memory of a process, in KiB.
fn resident(process: Process) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The line of least squares.
fn line(samples: &[(f64, f64)]) -> Growth {
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let (mut above, mut below) = (0.0, 0.0);
    for (time, resident) in samples {
        above += (time - x) * (resident - y);
        below += (time - x) * (time - x);
    }
    let minutes = samples.last().unwrap().0 - samples.first().unwrap().0;
    Growth { minutes, mean: y, slope: above / below }
}

#[test]
fn a_line_is_found_again() {
    let samples: Vec<(f64, f64)> = (0..100).map(|x| (f64::from(x), 1000.0 + 3.0 * f64::from(x))).collect();
    let growth = line(&samples);
    assert!((growth.slope - 3.0).abs() < 1e-6 && (growth.minutes - 99.0).abs() < 1e-6, "{growth:?}");
}
