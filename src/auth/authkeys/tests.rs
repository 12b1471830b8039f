//! What each kind of line in `authkeys` leads to (`config.md` 5).

use super::*;

fn read(text: &str) -> (Option<Keyring>, Vec<Problem>) {
    parse(&SourceText::new("/etc/ha.d/authkeys", text))
}

fn signing(text: &str) -> Option<u8> {
    read(text).0.map(|ring| ring.signing_id().number())
}

/// Each problem as printed, one a line.
fn complaints(text: &str) -> String {
    read(text).1.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn an_ordinary_file_gives_its_keys_without_a_word() {
    let (ring, problems) = read("# keys\nauth 2\n1 sha1 first-of-two\n2 md5 second-of-two\n");
    let ring = ring.unwrap();
    assert_eq!(problems, []);
    assert_eq!(ring.ids().map(KeyId::number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((ring.signing_id().number(), ring.method(ring.signing_id())), (2, Some(Method::Md5)));
}

#[test]
fn odd_spacing_and_dos_line_ends_are_taken_as_the_original_takes_them() {
    for text in ["auth1\n1sha1 s3cr3t", "\tauth   1 anything\r\n\t1\tsha1\ts3cr3t\r\n", "auth +1\n01 sha1 s3cr3t\n"] {
        assert_eq!(signing(text), Some(1), "{text:?}");
    }
    assert_eq!(read("auth 1\n1 sha1 s3cr3t\r\n").0, read("auth 1\n1 sha1 s3cr3t\n").0);
    assert_eq!(signing("auth 0\n0 sha1 s3cr3t\n"), Some(0));
}

#[test]
fn auth_after_its_key_is_refused_with_the_phrase_of_the_original() {
    assert_eq!(
        complaints("1 sha1 s3cr3t\nauth 1\n"),
        "/etc/ha.d/authkeys:2: error: \"auth 1\" must come before the line of key 1 (move it above line 1) \
         [Auth Key [1] not found in keyfile [/etc/ha.d//authkeys]]\n"
    );
}

#[test]
fn a_file_without_auth_is_refused() {
    assert_eq!(
        complaints("1 sha1 s3cr3t\n"),
        "/etc/ha.d/authkeys: error: no auth line says which key signs (begin the file with \"auth 1\") \
         [Missing auth directive in keyfile [/etc/ha.d//authkeys]]\n"
    );
    assert!(complaints("auth -1\n1 sha1 s3cr3t\n").contains("Missing auth directive"));
}

#[test]
fn auth_naming_no_key_lists_the_keys_there_are() {
    let said = complaints("auth 3\n1 sha1 s3cr3t\n2 md5 s3cr3u\n");
    assert!(
        said.contains(
            "authkeys:1: error: \"auth 3\" names a key the file does not define (the file defines keys 1, 2)"
        )
    );
}

#[test]
fn every_broken_line_is_reported_in_one_run() {
    let (ring, problems) = read("auth one\n16 sha1 s3cr3t\n1 sha256 s3cr3t\n2 sha1\n3 crc # none\nnonsense\n4\n");
    assert_eq!(ring, None);
    let lines: Vec<_> = problems.iter().map(|p| p.place.as_ref().map(|place| place.line)).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7].map(Some));
    let phrases: Vec<_> = problems.iter().map(|p| p.original.clone().unwrap()).collect();
    assert_eq!(
        phrases,
        [
            "Invalid auth line [...] in /etc/ha.d//authkeys",
            "Invalid authnum [16] in /etc/ha.d//authkeys",
            "Invalid authtype [sha256]",
            "Auth method [sha1] requires a key",
            "Auth method [crc] doesn't use a key",
            "Auth line [...] is invalid.",
            "Auth line [...] is invalid.",
        ]
    );
}

#[test]
fn a_broken_selected_key_is_complained_about_once() {
    assert_eq!(read("auth 1\n1 sha1\n").1.len(), 1);
}

#[test]
fn the_caret_points_at_the_word_in_the_files_text() {
    let text = "# é\nauth 1\n1 SHA1 s3cr3t\n";
    let (_, problems) = read(text);
    let place = problems[0].place.clone().unwrap();
    assert_eq!((place.line, &text[place.span]), (3, "SHA1"));
    assert_eq!(problems[0].remedy.as_deref(), Some("methods are lower case: write sha1"));
}

#[test]
fn what_is_legal_but_unwise_is_a_warning_and_the_file_is_taken() {
    for (text, word) in [
        ("auth 1\n1 crc\n", "forge"),
        ("auth 1\n1 md5 Hello!\n", "well-known"),
        ("auth 1\n1 sha1 s3cr3t\n1 sha1 s3cr3u\n", "already defined in line 2"),
        ("auth 1\n1 sha1 my secret key\n", "ignored"),
        ("auth 1\n1 sha1 \"s3cr3t\"\n", "quote"),
        ("auth 1\n1 sha1 #s3cr3t\n", "not a comment"),
        ("auth 2\nauth 1\n1 sha1 s3cr3t\n", "no effect: key 1 signs, as line 2 says"),
        ("auth 1\n1 sha1 s3cr3t\n2 md5 s3cr3u\nauth 2\n", "no effect: key 1 signs, as line 1 says"),
        ("auth 1\n1 sha1 s3cr3t\nauth -1\n", "no effect: key 1 signs, as line 1 says"),
    ] {
        let (ring, problems) = read(text);
        assert!(ring.is_some(), "{text:?}");
        assert_eq!(problems.len(), 1, "{text:?}: {problems:?}");
        assert!(!problems[0].is_error() && problems[0].what.contains(word), "{:?}", problems[0]);
    }
}

#[test]
fn a_key_stays_chosen_until_another_line_is_chosen() {
    let keys = "1 sha1 s3cr3t\n2 md5 s3cr3u\n";
    assert_eq!(signing(&format!("auth 1\n{keys}auth 2\n")), Some(1));
    assert_eq!(signing(&format!("auth 2\n{keys}auth 1\n")), Some(2));
    assert_eq!(signing("auth 1\n1 sha1 s3cr3t\nauth 2\n2 md5 s3cr3u\n"), Some(2));
    assert_eq!(signing("auth 2\n1 sha1 s3cr3t\nauth 1\n2 md5 s3cr3u\n"), None);
}

#[test]
fn of_two_lines_for_one_key_the_last_counts() {
    assert_eq!(read("auth 1\n1 sha1 s3cr3t\n1 md5 s3cr3u\n").0, read("auth 1\n1 md5 s3cr3u\n").0);
}

#[test]
fn a_key_glued_to_its_method_is_named_without_being_shown() {
    let said = complaints("auth 1\n1 sha147e9336850f1db6f\n");
    assert!(said.contains("put a space between sha1 and the key"), "{said}");
    assert!(!said.contains("47e9"), "{said}");
}

#[test]
fn no_complaint_repeats_a_secret_wherever_it_stands() {
    let secret = "aXy7Qp2Zr";
    for line in [
        format!("1 sha1 {secret}"),
        format!("1 sha1 \"{secret} {secret}\""),
        format!("1 sha1{secret}"),
        format!("1 {secret}"),
        format!("99 sha1 {secret}"),
        format!("1 crc {secret}"),
        format!("1 sha1 #{secret}"),
        secret.to_owned(),
        format!("Z{secret}"),
        format!("auth {secret}"),
        format!("1 sha1 {secret}\n1 md5 {secret}"),
    ] {
        let text = format!("auth 1\n{line}\n");
        let said = format!("{} {:?}", complaints(&text), read(&text));
        assert!(!said.contains(secret), "{line}: {said}");
        let shown = redact(&SourceText::new("authkeys", text.clone())).text.clone();
        assert!(!shown.contains(secret), "{shown}");
        assert_eq!(shown.len(), text.len());
    }
}

#[test]
fn redacted_text_keeps_what_a_reader_needs_in_its_place() {
    let shown = redact(&SourceText::new("authkeys", "# old: abc\nauth 1\r\n1 sha1 ключ # x\n"));
    assert_eq!(shown.text, "# **** ***\nauth 1\r\n1 sha1 ******** # *\n");
}

#[test]
fn a_byte_order_mark_is_said_to_be_one() {
    let said = complaints("\u{feff}auth 1\n1 sha1 s3cr3t\n");
    assert!(said.starts_with("/etc/ha.d/authkeys:1: error: the file starts with a byte order mark"), "{said}");
}

#[test]
fn a_secret_whose_bytes_were_lost_in_reading_is_refused() {
    assert_eq!(signing("auth 1\n1 sha1 s\u{fffd}cr3t\n"), None);
}
