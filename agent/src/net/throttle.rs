//! The token bucket in front of handshakes (Apache's "BlueThrottle"). Off by default.
//!
//! Pure: time and chance come as parameters.

use crate::settings::ThrottleSettings;

/// A bucket of tokens and the probability that a handshake is dropped all the same.
#[derive(Debug)]
pub struct Throttle {
    settings: ThrottleSettings,
    tokens: i64,
    filled_ms: i64,
    drop_probability: f64,
    updated_ms: i64,
}

impl Throttle {
    /// A full bucket.
    pub fn new(settings: ThrottleSettings, now_ms: i64) -> Throttle {
        let tokens = settings.tokens;
        Throttle { settings, tokens, filled_ms: now_ms, drop_probability: 0.0, updated_ms: now_ms }
    }

    /// Whether a handshake may go on. `renewal`: it asks for a session that there is already.
    /// `chance`: a number from 0 to 1.
    pub fn admits(&mut self, renewal: bool, now_ms: i64, chance: f64) -> bool {
        let settings = &self.settings;
        if settings.tokens <= 0 {
            return true;
        }
        let elapsed_ms = now_ms - self.filled_ms;
        if elapsed_ms > settings.fill_ms {
            let filled = elapsed_ms.saturating_mul(settings.fill_count) / settings.fill_ms;
            self.tokens = settings.tokens.min(self.tokens.saturating_add(filled));
            self.filled_ms = now_ms;
        }
        self.update_probability(now_ms);
        if chance < self.drop_probability {
            return false;
        }
        let cost = match renewal {
            true => self.settings.renew_weight,
            false => self.settings.new_weight,
        };
        if self.tokens < cost {
            return false;
        }
        self.tokens -= cost;
        true
    }

    /// The probability of a random drop, from 0 to 1.
    pub fn drop_probability(&self) -> f64 {
        self.drop_probability
    }

    fn update_probability(&mut self, now_ms: i64) {
        let settings = &self.settings;
        if settings.freeze_ms == -1 || now_ms - self.updated_ms <= settings.freeze_ms {
            return;
        }
        self.updated_ms = now_ms;
        let used = settings.tokens - self.tokens;
        let calm = (settings.tokens as f64 * settings.decrease_ratio).round() as i64;
        if self.tokens == 0 {
            self.drop_probability = (self.drop_probability + settings.drop_increase).min(1.0);
        } else if used <= calm {
            self.drop_probability = (self.drop_probability - settings.drop_decrease).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(tokens: i64) -> ThrottleSettings {
        ThrottleSettings {
            tokens,
            fill_ms: 10,
            fill_count: 2,
            freeze_ms: -1,
            drop_increase: 0.5,
            drop_decrease: 0.25,
            decrease_ratio: 0.5,
            new_weight: 3,
            renew_weight: 2,
        }
    }

    #[test]
    fn without_tokens_there_is_no_throttle() {
        let mut throttle = Throttle::new(settings(0), 0);
        assert!((0..1000).all(|_| throttle.admits(false, 0, 0.0)));
    }

    #[test]
    fn tokens_are_spent_and_come_back() {
        let mut throttle = Throttle::new(settings(6), 0);
        assert!(throttle.admits(false, 0, 0.9));
        assert!(throttle.admits(true, 0, 0.9));
        assert!(!throttle.admits(true, 10, 0.9), "one token is left and nothing filled yet");
        assert!(throttle.admits(true, 11, 0.9), "two more have come");
        assert!(!throttle.admits(true, 12, 0.9));
    }

    #[test]
    fn an_empty_bucket_raises_the_odds_of_a_drop() {
        let mut throttle = Throttle::new(ThrottleSettings { freeze_ms: 0, ..settings(3) }, 0);
        assert!(throttle.admits(false, 0, 0.9));
        assert!(!throttle.admits(false, 1, 0.9), "empty");
        assert_eq!(throttle.drop_probability(), 0.5);
        assert!(!throttle.admits(true, 21, 0.2), "dropped by chance");
        assert_eq!(throttle.drop_probability(), 0.25, "but calmer");
        assert!(throttle.admits(true, 22, 0.2));
    }
}
