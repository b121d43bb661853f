use serde_json::Value;

/// Why an answer has no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The server says so.
    #[error("the server answers {kind}: {message}")]
    Refused {
        /// Prometheus's `errorType`.
        kind: String,
        /// Prometheus's `error`.
        message: String,
    },
    /// It is no answer of the query API.
    #[error("expected an answer of the query API of Prometheus, found {0}")]
    Unknown(String),
    /// The query selects several series.
    #[error("the query gives {0} series, expected one: put sum(…) around it")]
    Several(usize),
}

/// Reads an answer of `/api/v1/query` that is to be one number: values are strings there. `None`
/// where there is no number: no series, NaN, an infinity. That is missing data, not zero.
///
/// # Errors
/// Where the server refused, or answered something else.
///
/// ```
/// use control::slo::parse_answer;
///
/// let answer = r#"{"status":"success","data":{"resultType":"vector","result":[
///     {"metric":{},"value":[1700000000.0,"42"]}]}}"#;
/// assert_eq!(parse_answer(answer), Ok(Some(42.0)));
/// let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
/// assert_eq!(parse_answer(nothing), Ok(None));
/// ```
pub fn parse_answer(text: &str) -> Result<Option<f64>, AnswerError> {
    let unknown = || AnswerError::Unknown(text.chars().take(200).collect());
    let answer: Value = serde_json::from_str(text).map_err(|_| unknown())?;
    if answer["status"] == "error" {
        let said = |field: &str| answer[field].as_str().unwrap_or("no reason").to_owned();
        return Err(AnswerError::Refused { kind: said("errorType"), message: said("error") });
    }
    let result = &answer["data"]["result"];
    let sample = match answer["data"]["resultType"].as_str() {
        Some("scalar") => result,
        Some("vector") => match result.as_array().ok_or_else(unknown)?.as_slice() {
            [] => return Ok(None),
            [one] => &one["value"],
            several => return Err(AnswerError::Several(several.len())),
        },
        _ => return Err(unknown()),
    };
    let number =
        sample[1].as_str().and_then(|text| text.parse::<f64>().ok()).ok_or_else(unknown)?;
    Ok(number.is_finite().then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(samples: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{samples}]}}}}"#)
    }

    #[test]
    fn what_is_no_number_is_missing() {
        for value in ["NaN", "+Inf", "-Inf"] {
            let answer = vector(&format!(r#"{{"metric":{{}},"value":[1,"{value}"]}}"#));
            assert_eq!(parse_answer(&answer), Ok(None), "{value}");
        }
        assert_eq!(parse_answer(&vector("")), Ok(None));
    }

    #[test]
    fn scalars_and_single_series_are_read() {
        assert_eq!(parse_answer(&vector(r#"{"value":[1,"1e3"]}"#)), Ok(Some(1000.0)));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0.5"]}}"#;
        assert_eq!(parse_answer(scalar), Ok(Some(0.5)));
    }

    #[test]
    fn everything_else_says_what_it_is() {
        let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        let error = parse_answer(refused).unwrap_err().to_string();
        assert_eq!(error, "the server answers bad_data: parse error");
        let two = vector(r#"{"value":[1,"1"]},{"value":[1,"2"]}"#);
        assert!(parse_answer(&two).unwrap_err().to_string().contains("sum(…)"));
        for text in ["<html>", "{}", "[]", &vector(r#"{"value":[1,2]}"#)] {
            assert!(matches!(parse_answer(text), Err(AnswerError::Unknown(_))), "{text}");
        }
    }
}
