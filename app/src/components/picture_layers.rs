//! both: a [`Picture`] of a course in an `svg`.

use leptos::prelude::*;
use leptos::svg;
use web_sys::Element;
use wire::CourseView;

use crate::course::{DrawBlock, Picture, Sheet};

/// A group a sheet. The server writes them; from then on the browser is told of the paths that
/// change, one by one: a view that compares thousands of attributes takes longer than a frame.
#[component]
pub(crate) fn PictureLayers(course: Signal<CourseView>, draw_block: DrawBlock) -> impl IntoView {
    let mut picture = course.with_untracked(|course| Picture::of(course, draw_block));
    let groups: [NodeRef<svg::G>; 6] = Default::default();
    let layers = picture.sheets().map(|sheet| {
        sheet.take_touched();
        sheet.to_svg()
    });
    let layers = layers.into_iter().zip(groups).map(|(paths, group)| {
        view! { <g node_ref=group inner_html=paths></g> }
    });
    let layers = layers.collect_view();
    let picture = StoredValue::new(picture);
    let draw = move |course: &CourseView| {
        let _ = picture.try_update_value(|picture| {
            picture.follow(course);
            for (sheet, group) in picture.sheets().into_iter().zip(groups) {
                if let Some(group) = group.get_untracked() {
                    show(sheet, &group);
                }
            }
        });
    };
    let is_due = StoredValue::new(false);
    Effect::new(move |_| {
        course.track();
        // In a frame of its own: what came with the news has this one.
        if !is_due.get_value() {
            is_due.set_value(true);
            request_animation_frame(move || {
                // Nothing, where the page was left in between.
                let _ = is_due.try_set_value(false);
                let _ = course.try_with_untracked(draw);
            });
        }
    });
    layers
}

/// Hands the paths that were touched to the browser. One that is gone stays, empty: there may be
/// another in its place soon.
fn show(sheet: &mut Sheet, group: &Element) {
    const SVG: Option<&str> = Some("http://www.w3.org/2000/svg");
    let children = group.children();
    for (place, path) in sheet.take_touched() {
        let known = children.item(u32::try_from(place).unwrap_or(u32::MAX));
        let shown = known.or_else(|| {
            let new = document().create_element_ns(SVG, "path").ok()?;
            group.append_child(&new).ok()?;
            Some(new)
        });
        let (class, d) = path.map_or(("", ""), |path| (&path.class, &path.d));
        if let Some(shown) = shown {
            // Neither name can be refused.
            let _ = shown.set_attribute("class", class);
            let _ = shown.set_attribute("d", d);
        }
    }
}
