use uuid::Uuid;

use crate::Error;

/// Metadata with the Zuora-Track-Id of a call: 1 to 64 characters from 0x21 to 0x7E without `: ; " ' ,`.
pub const TRACK_ID: &str = "zuora-track-id";
const LONGEST_TRACK_ID: usize = 64;
const NOT_IN_TRACK_ID: [char; 5] = [':', ';', ',', '"', '\''];

/// Returns a fresh name for an intent: a UUID of version 7 (RFC 9562), which shows the service when it was made.
///
/// Keep it with the order before the first send, and send it again with every resend of the same thing to be done.
///
/// ```
/// assert_eq!(36, payorch::new_request_id().len());
/// ```
#[must_use]
pub fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Fails if a Track-Id has a form that the service refuses.
pub(crate) fn check_track_id(track_id: &str) -> Result<(), Error> {
    let fits = (1..=LONGEST_TRACK_ID).contains(&track_id.len());
    let allowed = |character: char| character.is_ascii_graphic() && !NOT_IN_TRACK_ID.contains(&character);
    if fits && track_id.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "track_id: {track_id:?} is not 1 to 64 characters from 0x21 to 0x7E without : ; \" ' and comma"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_fresh_and_of_version_7() {
        let made = [new_request_id(), new_request_id()];

        assert_ne!(made[0], made[1]);
        assert_eq!(Some('7'), made[0].chars().nth(14));
    }

    #[test]
    fn a_track_id_has_the_form_that_the_service_accepts() {
        check_track_id("ticket-1").unwrap();
        let longest = "t".repeat(64);
        check_track_id(&longest).unwrap();
        for refused in ["", "ticketä", "a b", "a\n", "a:b", &format!("{longest}t")] {
            assert!(check_track_id(refused).is_err(), "{refused:?}");
        }
    }
}
