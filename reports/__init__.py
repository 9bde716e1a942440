"""Reports to rightsholders and to the business: what was played, by whatever they want to know it by."""
