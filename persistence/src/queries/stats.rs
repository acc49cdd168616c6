//! Figures over interviews.

use domain::ports::{InterviewFilter, InterviewStats, Scope, StatusCount};
use sqlx::{FromRow, PgConnection, QueryBuilder};

use super::{Stored, filter, seq};

/// What `grouping` says of a row that sums up everything.
const OF_ALL: i32 = 0b111;
/// What it says of a row of one status.
const OF_STATUS: i32 = 0b011;
/// What it says of a row of one provider.
const OF_PROVIDER: i32 = 0b101;
/// What it says of a row of one outcome.
const OF_OUTCOME: i32 = 0b110;

/// The figures of one group.
#[derive(FromRow)]
struct Group {
    of: i32,
    value: Option<String>,
    count: i64,
    average_duration: Option<f64>,
    total_cost: Option<f64>,
}

/// Counts everything a filter lets through in one pass over the rows.
pub(super) async fn stats(
    tx: &mut PgConnection,
    scope: Scope,
    filter: &InterviewFilter,
) -> Stored<InterviewStats> {
    let mut sql = QueryBuilder::new(
        "select grouping(f.status, f.provider, f.outcome) as of,
             coalesce(f.status, f.provider, f.outcome) as value, count(*) as count,
             avg(f.duration) as average_duration, sum(f.cost) as total_cost
         from (
             select i.status, coalesce(i.provider, 'unknown') as provider, i.outcome, i.duration,
                 i.cost
             from voice_interviews i",
    );
    filter::push(&mut sql, scope, filter);
    sql.push(
        ") f
         group by grouping sets ((), (f.status), (f.provider), (f.outcome))
         order by count desc, value",
    );
    let groups: Vec<Group> = sql.build_query_as().fetch_all(&mut *tx).await?;
    let all = groups.iter().find(|group| group.of == OF_ALL);
    Ok(InterviewStats {
        total: all.map_or(0, |group| group.count),
        average_duration: all.and_then(|group| group.average_duration),
        total_cost: all.and_then(|group| group.total_cost).unwrap_or(0.0),
        by_status: counts(&groups, OF_STATUS),
        by_provider: counts(&groups, OF_PROVIDER),
        by_outcome: counts(&groups, OF_OUTCOME),
        seq: seq(tx).await?,
    })
}

/// Returns the counts of one kind of group; rows without a value, such as calls that run, are in none.
fn counts(groups: &[Group], of: i32) -> Vec<StatusCount> {
    let of_kind = groups.iter().filter(|group| group.of == of);
    of_kind
        .filter_map(|group| Some(StatusCount { value: group.value.clone()?, count: group.count }))
        .collect()
}
