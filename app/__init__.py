"""The Streamlit shell: navigation, HTTP client, languages, components. Screens are in pages/."""
