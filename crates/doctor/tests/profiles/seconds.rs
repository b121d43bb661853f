//! CPU time: the share of cleanup.

use doctor::profile::flame_graph;

use crate::go::{Build, line_of, profile, report, run, source};

/// A share may be off by so much.
const POINTS: f64 = 5.0;

#[test]
fn the_share_of_cleanup_in_a_handlers_time_is_what_was_built_in() {
    let source = source();
    for percent in [30.0, 95.0] {
        let folder = run(Build::Optimised, "cpu", "cpu", &[&percent.to_string()]);
        let profile = profile(&folder.join(format!("cpu-{percent}.pb")));
        let report = report(&profile, &source);
        let handlers = &report.cleanup.handlers;
        let handler = handlers.iter().find(|it| it.handler == "main.handler.ServeHTTP");
        let handler = handler.unwrap_or_else(|| panic!("no handler: {report}"));
        let share = handler.ratio() * 100.0;
        assert!((share - percent).abs() <= POINTS, "{share} for {percent}: {report}");
        let [(site, _)] = handler.sites.as_slice() else { panic!("{report}") };
        let site = site.site.as_ref().unwrap();
        assert_eq!(site.line, line_of("cpu.go", "defer h.release()"), "{report}");
        let page = flame_graph(&profile, Some(&source), "<cpu>");
        assert!(page.contains("<title>&lt;cpu&gt;</title>"), "{page}");
        assert!(page.contains("<i class=c") && page.contains("main.handler.release"), "{page}");
    }
}
