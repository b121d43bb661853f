#![no_main]

use doctor::profile::{Question, Report, flame_graph, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(profile) = read(bytes) {
        let question = Question { profile: &profile, source: None, base: Some(&profile), findings: &[] };
        let report = Report::new(&question);
        assert!(report.growth.as_ref().is_some_and(Vec::is_empty), "nothing grows beside itself");
        assert!(!report.to_string().is_empty());
        assert!(flame_graph(&profile, None, "fuzz").ends_with("</script>\n"));
    }
});
