#[test]
fn the_page_of_fields_is_what_the_tables_say() {
    let page = include_str!("../../../../docs/configuration-fields.md");
    assert_eq!(
        page,
        config::field_reference(),
        "run: cargo run -p config --example fields > docs/configuration-fields.md"
    );
}
