//! The tree, looked at once for all who watch it, and not at all while nobody does.

use std::sync::Arc;
use std::time::Duration;

use supervisor::TreeStats;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How often the tree is looked at.
const SAMPLE_PAUSE: Duration = Duration::from_secs(1);

/// What the tree was like; none before the first look.
pub(super) type Sample = Option<Arc<TreeStats>>;

/// Hands one sample of the tree to everybody.
pub(super) struct TreeSampler {
    latest: watch::Sender<Sample>,
    watched: Notify,
}

impl TreeSampler {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { latest: watch::Sender::new(None), watched: Notify::new() })
    }

    /// Subscribes; the newest sample, where there is one, counts as news.
    pub fn subscribe(&self) -> watch::Receiver<Sample> {
        let mut samples = self.latest.subscribe();
        samples.mark_changed();
        self.watched.notify_one();
        samples
    }

    /// Looks at the tree while somebody watches; a look that fails is missed.
    pub async fn run<L>(&self, look: impl Fn() -> L, shutdown: CancellationToken)
    where
        L: Future<Output = Sample>,
    {
        let looking = async {
            loop {
                self.watched.notified().await;
                while self.latest.receiver_count() > 0 {
                    if let Some(sample) = look().await {
                        self.latest.send_replace(Some(sample));
                    }
                    tokio::time::sleep(SAMPLE_PAUSE).await;
                }
                // Who comes later is not shown how it was.
                self.latest.send_replace(None);
            }
        };
        shutdown.run_until_cancelled(looking).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use supervisor::Phase;

    use super::*;

    fn stats() -> TreeStats {
        let phase = Phase::Dialing;
        let (kinds, quarantined) = (Vec::new(), Vec::new());
        TreeStats {
            phase,
            kinds,
            quarantined,
            stops: Vec::new(),
            intents: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    /// Starts a sampler; the number tells how often it looked.
    fn start() -> (Arc<TreeSampler>, Arc<AtomicUsize>) {
        let (sampler, looks) = (TreeSampler::new(), Arc::new(AtomicUsize::new(0)));
        let (running, counted) = (Arc::clone(&sampler), Arc::clone(&looks));
        tokio::spawn(async move {
            let look = || {
                counted.fetch_add(1, Ordering::Relaxed);
                std::future::ready(Some(Arc::new(stats())))
            };
            running.run(look, CancellationToken::new()).await;
        });
        (sampler, looks)
    }

    #[tokio::test(start_paused = true)]
    async fn many_watchers_share_one_look_a_second_and_nobody_costs_none() {
        let (sampler, looks) = start();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(looks.load(Ordering::Relaxed), 0);

        let mut watchers: Vec<_> = (0..50).map(|_| sampler.subscribe()).collect();
        tokio::time::sleep(Duration::from_millis(9_500)).await;
        assert_eq!(looks.load(Ordering::Relaxed), 10);
        assert!(watchers.iter_mut().all(|one| one.borrow_and_update().is_some()));

        drop(watchers);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(looks.load(Ordering::Relaxed), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn late_watcher_gets_the_newest_sample_at_once_and_none_of_an_earlier_watch() {
        let (sampler, looks) = start();
        let first = sampler.subscribe();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut second = sampler.subscribe();
        second.changed().await.unwrap();
        assert!(second.borrow_and_update().is_some());
        drop((first, second));
        tokio::time::sleep(Duration::from_secs(60)).await;

        let mut third = sampler.subscribe();
        assert!(third.borrow_and_update().is_none());
        third.changed().await.unwrap();
        assert!(third.borrow_and_update().is_some());
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }
}
