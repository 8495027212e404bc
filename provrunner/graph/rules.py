"""The rules of a valid PROV graph, each as a SQL query for the statements that break it.

Numbers such as C39 are those of PROV-CONSTRAINTS (W3C recommendation of 30 April 2013). A rule's
query gives one row a violation; all its columns are ids of the statements concerned. Two times
that are equal break no order; a time that is unknown breaks none either.
"""

# ruff: noqa: S608 -- the queries are put together from constants of this part alone

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provrunner.graph.terms import KINDS, NAME, RELATIONS

__all__ = ["ACYCLIC", "RULES", "VIEWS"]

VIEWS: Mapping[str, str] = {
    "generations": 'select id, subject as entity, "object" as activity, time from edges '
    "where relation = 'was_generated_by'",
    "invalidations": 'select id, subject as entity, "object" as activity, time from edges '
    "where relation = 'was_invalidated_by'",
    "usages": 'select id, subject as activity, "object" as entity, time from edges '
    "where relation = 'used'",
    "starts": 'select id, subject as activity, "object" as starter, time from edges '
    "where relation = 'was_started_by'",
    "derivations": 'select id, subject as derived, "object" as source, activity, generation, usage '
    "from edges where relation = 'was_derived_from'",
    "specializations": 'select id, subject as special, "object" as general from edges '
    "where relation = 'specialization_of'",
    "activities": "select id, start, \"end\" from nodes where kind = 'activity'",
    "types": """
        select id, "type" as name from nodes union
        select id, unnest(from_json(attributes -> '$."prov:type"', '["VARCHAR"]')) from nodes
        where attributes like '%"prov:type"%'""",
}
"""The tables that the rules speak of, over `nodes` and `edges` with times as integers."""


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _ends() -> str:
    rows = [f"('{name}', '{one.subject}', '{one.object}')" for name, one in RELATIONS.items()]
    return f"(values {', '.join(rows)}) as rule(relation, subject_kind, object_kind)"


_BARE = [name for name, relation in RELATIONS.items() if relation.bare]

RULES: Mapping[str, str] = {
    "legal name": f"""
        select id from (select id from nodes union all select id from edges)
        where not regexp_full_match(id, '{NAME}')""",
    "known kind": f"select id from nodes where kind is null or kind not in ({_list(KINDS)})",
    "known relation": f"""
        select id from edges where relation is null or relation not in ({_list(RELATIONS)})""",
    "legal attributes": r"""
        select id
        from (select id, attributes from nodes union all select id, attributes from edges)
        where attributes is null or not coalesce(json_type(try_cast(attributes as json)) =
        'OBJECT', false)
            or regexp_matches(attributes, '[\x00-\x1f]|(^|[^\\])(\\\\)*\\(u00[01]|[nrtbf])')""",
    "unique id (C22, C23)": """
        select id from (select id from nodes union all select id from edges)
        group by id having count(*) > 1""",
    "no dangling id": """
        select edges.id, wanted from edges,
            unnest([subject, "object", plan, activity]) as ends(wanted)
        where wanted is not null and wanted not in (select id from nodes)
        union all select id, 'null' from edges where subject is null or "object" is null""",
    "domain and range (C50, C55)": f"""
        select edges.id, nodes.id as node from edges join {_ends()} using (relation)
            join nodes on nodes.id = subject
        where subject_kind <> '' and nodes.kind <> subject_kind
        union all
        select edges.id, nodes.id from edges join {_ends()} using (relation)
            join nodes on nodes.id = "object"
        where object_kind <> '' and nodes.kind <> object_kind
        union all
        select edges.id, nodes.id from edges join nodes on nodes.id = activity
        where nodes.kind <> 'activity'
        union all
        select edges.id, nodes.id from edges join nodes on nodes.id = plan
        where nodes.kind <> 'entity'""",
    "arguments of their relation": f"""
        select id from edges
        where (plan is not null and relation <> 'was_associated_with')
            or (activity is not null and relation not in ('was_derived_from', 'acted_on_behalf_of'))
            or ((generation is not null or usage is not null) and relation <> 'was_derived_from')
            or (relation in ({_list(_BARE)})
                and (time is not null or role is not null or attributes <> '{{}}'))""",
    "time of an activity alone": """
        select id from nodes
        where kind <> 'activity' and (start is not null or "end" is not null)""",
    "plan is a Plan (C50)": """
        select edges.id, plan from edges where plan is not null
            and plan not in (select id from types where name = 'prov:Plan')""",
    "collection is a Collection (C50)": """
        select id, subject from edges where relation = 'had_member'
            and subject not in (select id from types where name = 'prov:Collection')""",
    "empty collection has no member (C56)": """
        select edges.id, subject from edges join types on types.id = subject
        where relation = 'had_member' and name = 'prov:EmptyCollection'""",
    "unique generation (C24, C39)": """
        select a.id, b.id as other, a.entity from generations a join generations b using (entity)
        where a.id < b.id and (a.activity = b.activity or a.time <> b.time)""",
    "unique invalidation (C25, C40)": """
        select a.id, b.id as other, a.entity
        from invalidations a join invalidations b using (entity)
        where a.id < b.id and (a.activity = b.activity or a.time <> b.time)""",
    "unique start (C26, C31)": """
        select a.id, b.id as other, a.activity from starts a join starts b using (activity)
        where a.id < b.id and (a.starter = b.starter or a.time <> b.time)""",
    "start is the start's time (C28)": """
        select starts.id, activities.id as activity from starts
            join activities on activities.id = activity
        where time is distinct from start""",
    "start precedes end (C30)": 'select id from activities where start > "end"',
    "usage within activity (C33)": """
        select usages.id, activities.id as activity from usages
            join activities on activities.id = activity
        where time < start or time > "end" """,
    "generation within activity (C34)": """
        select generations.id, activities.id as activity from generations
            join activities on activities.id = activity
        where time < start or time > "end" """,
    "informant starts before informed ends (C35)": """
        select edges.id, late.id as informant, early.id as informed from edges
            join activities late on late.id = "object" join activities early on early.id = subject
        where relation = 'was_informed_by' and late.start > early."end" """,
    "generation precedes invalidation (C36)": """
        select generations.id, invalidations.id as invalidation, entity
        from generations join invalidations using (entity)
        where generations.time > invalidations.time""",
    "generation precedes usage (C37)": """
        select generations.id, usages.id as usage, entity
        from generations join usages using (entity)
        where generations.time > usages.time""",
    "usage precedes invalidation (C38)": """
        select usages.id, invalidations.id as invalidation, entity
        from usages join invalidations using (entity) where usages.time > invalidations.time""",
    "usage precedes generation in a derivation (C41)": """
        select derivations.id, usages.id as usage, generations.id as generation from derivations
            join usages on usages.id = usage join generations on generations.id = generation
        where usages.time > generations.time""",
    "source precedes what derives from it (C42)": """
        select derivations.id, early.id as generation, late.id as other from derivations
            join generations early on early.entity = source
            join generations late on late.entity = derived
        where early.time > late.time""",
    "general precedes special (C45)": """
        select specializations.id, early.id as generation, late.id as other from specializations
            join generations early on early.entity = general
            join generations late on late.entity = special
        where early.time > late.time""",
    "special is invalidated first (C46)": """
        select specializations.id, early.id as invalidation, late.id as other from specializations
            join invalidations early on early.entity = special
            join invalidations late on late.entity = general
        where early.time > late.time""",
    "derivation names its activity (C51)": """
        select id from derivations
        where activity is null and (generation is not null or usage is not null)""",
    "derivation's generation is of its entity and activity": """
        select derivations.id, generation from derivations
            left join generations on generations.id = generation
        where generation is not null and (generations.id is null
            or entity <> derived or generations.activity <> derivations.activity)""",
    "derivation's usage is of its source and activity": """
        select derivations.id, usage from derivations left join usages on usages.id = usage
        where usage is not null and (usages.id is null
            or entity <> source or usages.activity <> derivations.activity)""",
}
"""Every rule by its name, as the SQL that finds what breaks it."""

ACYCLIC: Mapping[str, str] = {
    "no derivation from itself (C42)": "select derived, source, id from derivations",
    "no specialization of itself (C52)": "select special, general, id from specializations",
}
"""The relations that never lead back, as SQL for both ends and the id of each statement."""
