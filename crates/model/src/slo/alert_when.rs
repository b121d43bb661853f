/// Of which changes of an alert somebody is told (OpenSLO v1, "AlertPolicy": `alertWhenBreaching`,
/// `alertWhenResolved`, `alertWhenNoData`). It names no default; ours is to tell that an alert fires
/// and that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertWhen {
    /// That it fires.
    pub breaching: bool,
    /// That it is over.
    pub resolved: bool,
    /// That nothing can be said of it, and that something can be again.
    pub no_data: bool,
}

impl Default for AlertWhen {
    fn default() -> Self {
        Self { breaching: true, resolved: true, no_data: false }
    }
}

impl AlertWhen {
    /// Whether nobody is told of anything.
    #[must_use]
    pub const fn is_never(self) -> bool {
        !self.breaching && !self.resolved && !self.no_data
    }
}
