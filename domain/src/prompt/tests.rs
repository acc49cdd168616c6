//! Templates: what is one, what it says in the end, and which one counts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select as any_of;
use uuid::Uuid;

use super::*;
use crate::testing::noon;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn text(template: &str, pairs: &[(&str, &str)]) -> String {
    render(template, &values(pairs)).unwrap().text
}

#[test]
fn names_in_either_case_are_filled_in_and_nothing_else_changes() {
    let pairs = [("candidateName", "Asha"), ("job_title", "Cook")];
    for (template, said) in [
        ("Hello {{candidateName}}!", "Hello Asha!"),
        ("{{ candidate_name }}, {{\tjob_title }}\n", "Asha, Cook\n"),
        ("{{candidateName}}{{candidateName}}", "AshaAsha"),
        ("{ } }} {a} {{candidateName}}} é", "{ } }} {a} Asha} é"),
        ("no mark at all", "no mark at all"),
        ("a <b> & \"c\" {{candidateName}}", "a <b> & \"c\" Asha"),
    ] {
        assert_eq!(text(template, &pairs), said);
    }
    let html = [("candidateName", "<b>&\"'")];
    assert_eq!(text("{{candidateName}}", &html), "<b>&\"'", "an agent reads no page");
}

#[test]
fn name_without_a_value_becomes_nothing_and_is_told() {
    let filled = render(
        "{{candidateName}}|{{job_description}}|{{favourite}}|{{note}}|{{note}}",
        &values(&[("candidateName", " "), ("note", "")]),
    );
    let filled = filled.unwrap();
    assert_eq!(filled.text, "||||");
    assert_eq!(filled.missing, ["candidateName", "job_description", "note"]);
    assert_eq!(filled.unknown, ["favourite"]);
}

#[test]
fn what_is_no_plain_template_is_refused_where_it_stands() {
    let long = format!("{{{{{}}}}}", "a".repeat(NAME_BYTES_MAX + 1));
    for (source, flaw, line, column) in [
        ("", Flaw::Blank, 1, 1),
        (" \n\t", Flaw::Blank, 1, 1),
        ("a\0b", Flaw::Nul, 1, 2),
        ("Hello {{name", Flaw::Unclosed, 1, 7),
        ("Hello {{name}", Flaw::Unclosed, 1, 7),
        ("a\nß {{", Flaw::Unclosed, 2, 3),
        ("{{ a {{ b }} }}", Flaw::Nested, 1, 6),
        ("{{{name}}}", Flaw::Nested, 1, 3),
        ("x\n\n{% if a %}", Flaw::Block, 3, 1),
        ("{%", Flaw::Block, 1, 1),
        ("{# a #}", Flaw::Comment, 1, 1),
        ("{{}}", Flaw::NotAName, 1, 1),
        ("{{ }}", Flaw::NotAName, 1, 1),
        ("{{1a}}", Flaw::NotAName, 1, 1),
        ("{{a b}}", Flaw::NotAName, 1, 1),
        ("{{a.b}}", Flaw::NotAName, 1, 1),
        ("{{a|upper}}", Flaw::NotAName, 1, 1),
        ("{{a()}}", Flaw::NotAName, 1, 1),
        ("{{a[0]}}", Flaw::NotAName, 1, 1),
        ("{{a-b}}", Flaw::NotAName, 1, 1),
        ("{{-a-}}", Flaw::NotAName, 1, 1),
        ("{{1+1}}", Flaw::NotAName, 1, 1),
        ("{{\"a\"}}", Flaw::NotAName, 1, 1),
        ("{{näme}}", Flaw::NotAName, 1, 1),
        ("{{a\n}}", Flaw::NotAName, 1, 1),
        ("{{true}}", Flaw::Reserved, 1, 1),
        ("{{ self }}", Flaw::Reserved, 1, 1),
        (&long, Flaw::NameTooLong, 1, 1),
    ] {
        let Err(TemplateError::Flawed { flaw: found, at }) = parse(source) else {
            panic!("taken: {source:?}");
        };
        assert_eq!((found, at), (flaw, Position { line, column }), "{source:?}");
        assert!(matches!(render(source, &values(&[])), Err(TemplateError::Flawed { .. })));
        assert!(PromptText::parse(source).is_err());
    }
}

#[test]
fn bounds_hold_to_the_byte() {
    let fits = "x".repeat(TEMPLATE_BYTES_MAX);
    assert!(parse(&fits).is_ok());
    let over = parse(&format!("{fits}x")).unwrap_err();
    assert_eq!(over.to_string(), "line 1, column 1: the prompt is longer than 32 KiB");

    let long = "x".repeat(VALUE_BYTES_MAX);
    assert!(render("{{a}}", &values(&[("a", &long)])).is_ok());
    let over = render("b", &values(&[("a", &format!("{long}x"))]));
    assert!(matches!(over, Err(TemplateError::ValueTooLong { name }) if name == "a"));
    let nul = render("b", &values(&[("a", "x\0")]));
    assert!(matches!(nul, Err(TemplateError::ValueWithNul { name }) if name == "a"));
    let often = "{{a}}".repeat(RENDERED_BYTES_MAX / VALUE_BYTES_MAX);
    let over = render(&often, &values(&[("a", &long)]));
    assert!(matches!(over, Err(TemplateError::RenderedTooLong)));
}

#[test]
fn templates_full_of_marks_are_read_to_their_end_or_refused() {
    for (piece, is_template) in [
        ("{{a}}", true),
        ("\n{{b}}", true),
        ("}}", true),
        ("{ ", true),
        ("{", false),
        ("{ {", false),
        ("{{a}} {", false),
    ] {
        let source = piece.repeat(TEMPLATE_BYTES_MAX / piece.len());
        let read = parse(&source);
        assert_eq!(read.is_ok(), is_template, "{piece:?}");
        let marks = read.map_or(0, |template| template.names.len());
        assert_eq!(marks, if is_template { source.matches("{{").count() } else { 0 });
    }
    let filled = render(&"{{a}}".repeat(6_000), &values(&[("a", "b")])).unwrap();
    assert_eq!(filled.text, "b".repeat(6_000));
}

fn any_name() -> impl Strategy<Value = String> {
    any_of(vec!["a", "candidateName", "candidate_name", "x1", "_y", "loop_", "If", "and", "in"])
        .prop_map(str::to_owned)
}

fn any_value() -> impl Strategy<Value = String> {
    let marks = any_of(vec!["{{a}}", "{{", "}}", "{% raw %}", "{# x #}", "{{ candidateName }}"]);
    prop_oneof![marks.prop_map(str::to_owned), "[ -~]{0,20}", "\\PC{0,10}"]
}

fn any_piece() -> impl Strategy<Value = String> {
    let placeholder = (any_name(), any_of(vec!["", " ", "\t"]));
    prop_oneof![
        placeholder.prop_map(|(name, space)| format!("{{{{{space}{name}{space}}}}}")),
        any_of(vec!["{", "}", "}}", "{{", "\n", "\r\n", "text ", "{ {", "{%", "{#", "é"])
            .prop_map(str::to_owned),
        "[ -~]{0,12}",
    ]
}

proptest! {
    #[test]
    fn values_are_text_and_never_placeholders(
        pieces in prop::collection::vec(any_piece(), 0..12),
        pairs in prop::collection::btree_map(any_name(), any_value(), 0..6),
    ) {
        let source = pieces.concat();
        let Ok(template) = parse(&source) else { return Ok(()) };
        let Rendered { text, missing, unknown } = render(&source, &pairs).unwrap();
        // What the engine made of it is what putting the pieces together by hand makes of it.
        let mut by_hand = String::new();
        let mut rest = source.as_str();
        for name in &template.names {
            let at = rest.find("{{").unwrap();
            let end = at + rest[at..].find("}}").unwrap() + 2;
            by_hand.push_str(&rest[..at]);
            let is_left_out = [&missing, &unknown].iter().any(|list| list.iter().any(|n| n == name));
            if !is_left_out {
                let camel = if *name == "candidate_name" { "candidateName" } else { name };
                by_hand.push_str(pairs.get(*name).or_else(|| pairs.get(camel)).unwrap());
            }
            rest = &rest[end..];
        }
        by_hand.push_str(rest);
        prop_assert_eq!(text, by_hand);
    }

    #[test]
    fn any_text_at_all_is_taken_or_refused(source in "\\PC{0,60}") {
        if parse(&source).is_ok() {
            prop_assert!(render(&source, &BTreeMap::new()).is_ok());
        }
    }
}

#[test]
fn best_fit_counts_then_the_newest_then_the_smallest_id() {
    let (owner, other) = (Uuid::from_u128(7), Uuid::from_u128(8));
    let vapi = Platform::Call(Provider::Vapi);
    let candidate = |n, belongs_to, platform, minute| Candidate {
        id: Uuid::from_u128(n),
        belongs_to,
        platform,
        updated_at: noon() + chrono::TimeDelta::minutes(minute),
    };
    let mut all = vec![
        candidate(9, Some(other), Some(vapi), 99),
        candidate(8, Some(owner), Some(Platform::MissOzone), 99),
        candidate(1, None, None, 9),
        candidate(2, None, Some(vapi), 8),
        candidate(3, Some(owner), None, 7),
        candidate(4, Some(owner), Some(vapi), 6),
    ];
    let chosen = |all: &[Candidate], owner, platform| {
        select(all, owner, platform).map(|(one, fit)| (one.id.as_u128(), fit.score()))
    };
    assert_eq!(chosen(&all, Some(owner), Some(vapi)), Some((4, 4)));
    assert_eq!(chosen(&all, Some(owner), None), Some((3, 3)));
    assert_eq!(chosen(&all, None, Some(vapi)), Some((2, 2)));
    assert_eq!(chosen(&all, None, None), Some((1, 1)));
    assert_eq!(chosen(&all[..3], Some(owner), Some(vapi)), Some((1, 1)), "another's does not fit");
    assert_eq!(chosen(&all[..2], Some(owner), Some(vapi)), None);
    all.extend([
        candidate(6, Some(owner), Some(vapi), 7),
        candidate(5, Some(owner), Some(vapi), 7),
    ]);
    assert_eq!(chosen(&all, Some(owner), Some(vapi)), Some((5, 4)));
    all.reverse();
    assert_eq!(chosen(&all, Some(owner), Some(vapi)), Some((5, 4)), "whatever the order");
}

#[test]
fn built_in_prompts_are_templates_and_say_that_they_are() {
    for platform in [None, Some(Platform::MissOzone), Some(Platform::Call(Provider::Vapi))] {
        let active = ActivePrompt::BuiltIn { platform };
        assert!(parse(active.system_prompt()).is_ok());
        assert_eq!(active.score(), 0);
        assert!(active.reason().contains("built-in"), "{}", active.reason());
    }
}

#[test]
fn platforms_and_names_are_parsed() {
    for platform in Platform::ALL {
        assert_eq!(Platform::parse(platform.as_str()).unwrap(), platform);
    }
    assert!(Platform::parse("zoom").is_err());
    assert_eq!(PromptName::parse("  Screening ").unwrap().as_str(), "Screening");
    for bad in ["", "  ", "a\nb", "a\0", &"x".repeat(201)] {
        assert!(PromptName::parse(bad).is_err(), "{bad:?}");
    }
    assert!(PromptName::parse(&"é".repeat(200)).is_ok());
}
