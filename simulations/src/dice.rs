//! Randomness that can be replayed: a generator per purpose and number, all from one seed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a generator is for. Each purpose has its own stream, so that drawing more for one of them
/// leaves the others as they were.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The course of a call: outcome, times, id.
    Call = 1,
    /// What is said in a call.
    Talk,
    /// What goes wrong with a call's webhooks.
    Fault,
    /// What goes wrong with a `POST /call`.
    Dial,
    /// What goes wrong with an analysis.
    Analysis,
    /// The scores of a transcript.
    Score,
    /// What goes wrong with a pull.
    Pull,
    /// The people of a generated world.
    World,
    /// The load generator's calls.
    Load,
    /// What is broken when, in a crash run.
    Crash,
    /// What the drivers of a crash run do by chance.
    Driver,
    /// What those do by chance who ask for calls in a crash run.
    Placed,
}

/// Returns the generator of case `number` for `purpose`.
pub(crate) fn dice(seed: u64, purpose: Purpose, number: u64) -> ChaCha8Rng {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ ((purpose as u64) << 56));
    dice.set_stream(number);
    dice
}

/// Returns a number that depends on every byte of `text`, the same on every machine and release.
///
/// Source: FNV-1a, 64 bit, <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub(crate) fn digest(text: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Writes `value` as 26 characters of Crockford's base 32, as a ULID is written.
pub(crate) fn base32(mut value: u128) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut text = [0; 26];
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn the_same_case_draws_the_same_and_another_does_not() {
        let draw = |purpose, number| dice(7, purpose, number).random::<u64>();
        assert_eq!(draw(Purpose::Call, 3), draw(Purpose::Call, 3));
        assert_ne!(draw(Purpose::Call, 3), draw(Purpose::Call, 4));
        assert_ne!(draw(Purpose::Call, 3), draw(Purpose::Talk, 3));
    }

    #[test]
    fn ids_are_ulid_shaped() {
        assert_eq!(base32(0), "0".repeat(26));
        assert_eq!(base32(u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }
}
