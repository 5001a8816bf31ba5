//! What fuzzers do not come to by themselves: claims that take hundreds of kilobytes to make.

use cache_core::{
    Entry,
    codec::{RECORD_BYTES_MAX, decode_entry, decode_message, encode_entry},
};
use cache_fuzzing::{entry, message, samples};

/// The bytes of an entry with so many fields without name or value, and a body of zeros.
fn of_empty_fields(fields: u32, body_bytes: u32) -> Vec<u8> {
    let bare: Entry = samples::entries().pop().expect("there are samples");
    let mut bytes = encode_entry(&bare);
    // The numbers of fields and of bytes in the body are the last two.
    assert!(bytes.ends_with(&[0, 0]), "the last sample has neither");
    bytes.truncate(bytes.len() - 2);
    bytes.extend(number(fields));
    bytes.resize(bytes.len() + 2 * fields as usize, 0);
    bytes.extend(number(body_bytes));
    bytes.resize(bytes.len() + body_bytes as usize, 0);
    bytes
}

fn number(number: u32) -> Vec<u8> {
    [&[252][..], &number.to_le_bytes()].concat()
}

fn most() -> u32 {
    u32::try_from(RECORD_BYTES_MAX).expect("a record is short")
}

#[test]
fn a_list_of_nothing_costs_no_more_memory_than_an_entry_may() {
    for fields in [1_000, most() / 64, most() / 48 - 1, most() / 16] {
        for body_bytes in [0, most() / 4, most() / 2, 8 * 1024 * 1024] {
            let bytes = of_empty_fields(fields, body_bytes);
            entry::check(&bytes);
            let is_within = fields <= 2048 && body_bytes <= 8 * 1024 * 1024;
            assert_eq!(decode_entry(&bytes).is_ok(), is_within, "{fields} fields, {body_bytes} bytes");
            // Behind the record: which invalidations its sender knew, and which edition it is.
            let announced = [&[1, 1][..], &bytes, &[0, 0]].concat();
            message::check(&announced);
            assert_eq!(decode_message(&announced).is_ok(), is_within, "{fields} fields, {body_bytes} bytes");
        }
    }
}

#[test]
fn a_list_of_invalidations_costs_no_more_memory_than_a_message_may() {
    // Two numbers, an age, and two lists without a scope.
    let shortest = [0; 5];
    for count in [64, 65, most() / 60 - 1, most() / 30] {
        let list = shortest.repeat(count as usize);
        // A receipt and no mark come before the list.
        let bytes = [&[1, 6, 0, 0][..], &number(count), &list].concat();
        message::check(&bytes);
        assert_eq!(decode_message(&bytes).is_ok(), count <= 64, "{count} invalidations");
    }
}
