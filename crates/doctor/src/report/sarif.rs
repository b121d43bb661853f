//! SARIF 2.1.0, for code scanning (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).
//!
//! Columns count UTF-16 code units from 1, as `columnKind` says. Paths are relative to `%SRCROOT%`
//! where they are relative here.

mod shape;

use std::collections::HashMap;

use self::shape::{
    ArtifactChange, ArtifactLocation, Configuration, Driver, Fingerprints, Fix, InsertedContent,
    Invocation, Location, Log, Message, Multiformat, Notification, PhysicalLocation, Replacement,
    ReportingDescriptor, ResultEntry, RuleProperties, Run, SarifRegion, Tool,
};
use super::{
    FileFindings, FoundFinding, Report, TOOL, Unread,
    place::{Unit, region},
};
use crate::{
    finding,
    rule::{Confidence, Rule},
    syntax::{Lines, Span},
};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One log with one run; ends with an end of line.
#[must_use]
pub fn sarif(report: Report<'_>) -> String {
    let results = report.files.iter().flat_map(|file| {
        let lines = file.lines();
        let mut seen = HashMap::new();
        file.findings.iter().map(move |found| {
            let count: &mut u32 = seen.entry(found.fingerprint.as_str()).or_default();
            *count += 1;
            result(report, file, &lines, found, *count)
        })
    });
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: TOOL,
                full_name: "Rearguard's doctor",
                semantic_version: report.version,
                information_uri: "https://github.com/rearguard/rearguard",
                rules: report.rules.iter().map(|rule| descriptor(rule)).collect(),
            },
        },
        invocations: [Invocation {
            execution_successful: true,
            tool_execution_notifications: report.summary.unread.iter().map(notification).collect(),
        }],
        column_kind: "utf16CodeUnits",
        results: results.collect(),
    };
    super::to_json(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
}

fn descriptor(rule: &'static Rule) -> ReportingDescriptor {
    ReportingDescriptor {
        id: rule.code,
        name: pascal_case(rule.code),
        short_description: Message { text: rule.summary },
        help_uri: super::page_of(rule),
        help: Multiformat { text: rule.page, markdown: rule.page },
        default_configuration: Configuration { level: rule.severity.as_str() },
        properties: RuleProperties {
            precision: precision(rule.confidence),
            tags: ["reliability", "go"],
        },
    }
}

/// GitHub's word for how sure a rule is.
const fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "high",
        Confidence::High => "very-high",
    }
}

/// `defer-in-loop` as `DeferInLoop`, as SARIF wants names.
fn pascal_case(code: &str) -> String {
    code.split('-')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_ascii_uppercase(), rest.to_owned()]
        })
        .collect()
}

fn notification(unread: &Unread) -> Notification<'_> {
    let region = SarifRegion {
        start_line: unread.line,
        start_column: unread.column,
        end_line: unread.line,
        end_column: unread.column,
    };
    Notification {
        level: "warning",
        message: Message { text: &unread.message },
        locations: [Location {
            id: None,
            message: None,
            physical_location: PhysicalLocation {
                artifact_location: artifact(&unread.path),
                region,
            },
        }],
    }
}

fn result<'a>(
    report: Report<'a>,
    file: &'a FileFindings,
    lines: &Lines<'_>,
    found: &'a FoundFinding,
    count: u32,
) -> ResultEntry<'a> {
    let finding = &found.finding;
    let location = |span, id, message| Location {
        id,
        message,
        physical_location: PhysicalLocation {
            artifact_location: artifact(&file.path),
            region: sarif_region(&file.text, lines, span),
        },
    };
    let text = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let related = finding.related.iter().zip(1..);
    ResultEntry {
        rule_id: finding.rule.code,
        rule_index: report.rules.iter().position(|rule| rule.code == finding.rule.code),
        level: finding.severity().as_str(),
        message: shape::OwnedMessage { text },
        locations: [location(finding.span, None, None)],
        related_locations: related
            .map(|(it, id)| location(it.span, Some(id), Some(Message { text: &it.message })))
            .collect(),
        partial_fingerprints: Fingerprints {
            rearguard: &found.fingerprint,
            primary_location_line_hash: format!("{}:{count}", found.fingerprint),
        },
        fixes: finding.fix.iter().map(|it| fix(file, lines, it)).collect(),
    }
}

fn fix<'a>(file: &'a FileFindings, lines: &Lines<'_>, fix: &'a finding::Fix) -> Fix<'a> {
    let replacements = fix.edits.iter().map(|edit| Replacement {
        deleted_region: sarif_region(&file.text, lines, edit.span),
        inserted_content: InsertedContent { text: &edit.text },
    });
    Fix {
        description: Message { text: &fix.title },
        artifact_changes: [ArtifactChange {
            artifact_location: artifact(&file.path),
            replacements: replacements.collect(),
        }],
    }
}

fn sarif_region(text: &str, lines: &Lines<'_>, span: Span) -> SarifRegion {
    let at = region(text, lines, span, Unit::Utf16);
    SarifRegion {
        start_line: at.line,
        start_column: at.column,
        end_line: at.end_line,
        end_column: at.end_column,
    }
}

fn artifact(path: &str) -> ArtifactLocation {
    if path.starts_with('/') {
        return ArtifactLocation { uri: format!("file://{}", encoded(path)), uri_base_id: None };
    }
    ArtifactLocation { uri: encoded(path), uri_base_id: Some("%SRCROOT%") }
}

/// A path as a URI's: what RFC 3986 §3.3 allows in a segment (`:` left out, since a scheme ends with
/// it), and `/`, as they are.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::{super::sample, encoded, pascal_case, sarif};

    #[test]
    #[expect(clippy::too_many_lines, reason = "the whole document is what is asserted")]
    fn a_finding_is_a_result_with_rule_places_fingerprints_and_fix() {
        insta::assert_snapshot!(sample::printed(sarif), @r#"
        {
          "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
          "version": "2.1.0",
          "runs": [
            {
              "tool": {
                "driver": {
                  "name": "rearguard",
                  "fullName": "Rearguard's doctor",
                  "semanticVersion": "1.2.3",
                  "informationUri": "https://github.com/rearguard/rearguard",
                  "rules": [
                    {
                      "id": "unclosed-resource",
                      "name": "UnclosedResource",
                      "shortDescription": {
                        "text": "a resource is not closed on some path"
                      },
                      "helpUri": "https://github.com/rearguard/rearguard/blob/main/docs/doctor/unclosed-resource.md",
                      "help": {
                        "text": "A resource is not closed.\n",
                        "markdown": "A resource is not closed.\n"
                      },
                      "defaultConfiguration": {
                        "level": "error"
                      },
                      "properties": {
                        "precision": "very-high",
                        "tags": [
                          "reliability",
                          "go"
                        ]
                      }
                    }
                  ]
                }
              },
              "invocations": [
                {
                  "executionSuccessful": true,
                  "toolExecutionNotifications": [
                    {
                      "level": "warning",
                      "message": {
                        "text": "expected a declaration, found `}`"
                      },
                      "locations": [
                        {
                          "physicalLocation": {
                            "artifactLocation": {
                              "uri": "a/broken.go",
                              "uriBaseId": "%SRCROOT%"
                            },
                            "region": {
                              "startLine": 3,
                              "startColumn": 1,
                              "endLine": 3,
                              "endColumn": 1
                            }
                          }
                        }
                      ]
                    }
                  ]
                }
              ],
              "columnKind": "utf16CodeUnits",
              "results": [
                {
                  "ruleId": "unclosed-resource",
                  "ruleIndex": 0,
                  "level": "error",
                  "message": {
                    "text": "the file `f` is never closed\na process has 1024 descriptors; close it, 100% of the time"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "a/b%20c.go",
                          "uriBaseId": "%SRCROOT%"
                        },
                        "region": {
                          "startLine": 4,
                          "startColumn": 12,
                          "endLine": 4,
                          "endColumn": 25
                        }
                      }
                    }
                  ],
                  "relatedLocations": [
                    {
                      "id": 1,
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "a/b%20c.go",
                          "uriBaseId": "%SRCROOT%"
                        },
                        "region": {
                          "startLine": 8,
                          "startColumn": 2,
                          "endLine": 8,
                          "endColumn": 17
                        }
                      },
                      "message": {
                        "text": "this path leaves it open"
                      }
                    }
                  ],
                  "partialFingerprints": {
                    "rearguardFinding/v1": "0123456789abcdef",
                    "primaryLocationLineHash": "0123456789abcdef:1"
                  },
                  "fixes": [
                    {
                      "description": {
                        "text": "close the file in a defer"
                      },
                      "artifactChanges": [
                        {
                          "artifactLocation": {
                            "uri": "a/b%20c.go",
                            "uriBaseId": "%SRCROOT%"
                          },
                          "replacements": [
                            {
                              "deletedRegion": {
                                "startLine": 8,
                                "startColumn": 1,
                                "endLine": 8,
                                "endColumn": 1
                              },
                              "insertedContent": {
                                "text": "\tdefer f.Close()\n"
                              }
                            }
                          ]
                        }
                      ]
                    }
                  ]
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn nothing_found_is_an_empty_list_and_still_names_the_rules() {
        let log: serde_json::Value = serde_json::from_str(&sample::clean(sarif)).unwrap();
        assert_eq!(log["runs"][0]["results"], serde_json::json!([]));
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][0]["id"], "unclosed-resource");
    }

    #[test]
    fn paths_are_uris_and_names_are_in_pascal_case() {
        assert_eq!(encoded("a b/ü.go"), "a%20b/%C3%BC.go");
        assert_eq!(pascal_case("defer-in-loop"), "DeferInLoop");
    }
}
